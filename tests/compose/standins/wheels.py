"""The wheels that services/Dockerfile installs, downloaded before, served to the build from this machine."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 8099  # on the test's own bridge, so that nothing else can have it
PYTHON = "3.11"  # the image's


class _Quiet(SimpleHTTPRequestHandler):
    """Does not write a line for each wheel."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def download(requirements: Sequence[Path], folder: Path) -> None:
    """Put the wheels of hash-pinned requirements into a folder; nothing is asked of those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in requirements:
        done = folder / f".{one.stem}"
        if done.exists() and done.read_bytes() == one.read_bytes():
            continue
        command = [
            sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps",
            "--require-hashes", "--only-binary=:all:", f"--python-version={PYTHON}", f"--dest={folder}",
            f"--find-links={folder}", "-r", str(one),
        ]  # fmt: skip
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, f"the wheels of {one.name} cannot be had:\n{ran.stderr[-2000:]}"
        done.write_bytes(one.read_bytes())


@contextmanager
def served(folder: Path, address: str) -> Iterator[str]:
    """Serve the folder on an address of this machine that only containers reach; its URL."""
    server = ThreadingHTTPServer((address, PORT), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, name="wheels", daemon=True)
    thread.start()
    try:
        yield f"http://{address}:{PORT}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
