"""The client where there is no wrk: `python -m loadtest.bench.slow_client URL SECONDS CONNECTIONS`."""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
from urllib.parse import urlsplit

_LENGTH = b"content-length: "


class _Connection:
    """Sends one request after the other on one connection."""

    def __init__(self, host: str, port: int, request: bytes) -> None:
        self.socket = socket.create_connection((host, port), timeout=5)
        self._request = request
        self._got = b""
        self.socket.sendall(request)

    def read(self) -> bool | None:
        """Whether a whole answer was a 200; None when there is none yet. OSError when it is cut off."""
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("the server closed the connection")
        self._got += data
        head, found, body = self._got.partition(b"\r\n\r\n")
        if not found:
            return None
        start = head.lower().find(_LENGTH) + len(_LENGTH)
        if len(body) < int(head[start:].split(b"\r\n", 1)[0]):
            return None
        good = head[9:12] == b"200"
        self._got = b""
        self.socket.sendall(self._request)
        return good


def run(url: str, seconds: float, connections: int) -> dict[str, float]:
    """Requests a second, their number and failures; an answer must say its length."""
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    request = f"GET {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode()
    waiting = selectors.DefaultSelector()
    for _ in range(connections):
        made = _Connection(host, port, request)
        waiting.register(made.socket, selectors.EVENT_READ, made)
    done = failures = 0
    begun = time.perf_counter()
    while time.perf_counter() - begun < seconds and waiting.get_map():
        for key, _ in waiting.select(0.1):
            connection: _Connection = key.data
            try:
                good = connection.read()
            except OSError:
                failures += 1
                waiting.unregister(connection.socket)
                connection.socket.close()
                continue
            if good is not None:
                done += 1
                failures += not good
    took = time.perf_counter() - begun
    for key in list(waiting.get_map().values()):
        key.data.socket.close()
    waiting.close()
    return {"rate": done / took, "requests": done, "failures": failures}


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))))
