"""Turns what is true among containers (peer:port, 0.0.0.0, mounted paths) into what is true on loopback."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

LOOPBACK = "127.0.0.1"
_ASSIGNMENT = re.compile(r"^(--?[A-Za-z][\w.-]*=)(.*)$", re.DOTALL)
_OWN_BIND = re.compile(r"^:(\d{1,5})$")
_ANY = {"0.0.0.0", "::", "[::]"}


class UnknownPeerPortError(ValueError):
    """A config names a port of a service that docker-compose.yml neither publishes nor exposes."""


@dataclass(frozen=True)
class Addresses:
    """One service's view: its own ports, everybody's ports, and its mounts, each container → here."""

    own: Mapping[int, int]
    peers: Mapping[tuple[str, int], int]
    paths: Mapping[str, str]
    offset: int = 0

    @cached_property
    def _names(self) -> frozenset[str]:
        return frozenset(name for name, _ in self.peers)

    @cached_property
    def _address(self) -> re.Pattern[str]:
        names = "|".join(sorted((re.escape(name) for name in self._names), key=len, reverse=True)) or r"(?!)"
        return re.compile(
            rf"(?:(?P<lead>//|@)|(?<![\w.-]))(?:(?P<peer>{names})|0\.0\.0\.0|\[::\]"
            r"|127\.0\.0\.1|localhost):(?P<port>\d{1,5})(?!\d)"
            r"|(?<![\w.:])(?P<bare>0\.0\.0\.0)(?![\w.:/])"
        )

    @cached_property
    def _path(self) -> re.Pattern[str]:
        targets = sorted((re.escape(target) for target in self.paths), key=len, reverse=True)
        return re.compile(rf"(?<![\w./-])(?:{'|'.join(targets) or '(?!)'})(?![\w.-])")

    def text(self, text: str) -> str:
        """All addresses and paths in a piece of text. Raises UnknownPeerPortError."""
        return self.only_paths(self._address.sub(self._replace_address, text))

    def only_paths(self, text: str) -> str:
        """Only the mounted paths: for labels, which are names and not addresses."""
        return self._path.sub(self._replace_path, text)

    def value(self, text: str) -> str:
        """A whole value, which may also be a bare bind such as `:9090` or `0.0.0.0`."""
        if text in _ANY:
            return LOOPBACK
        bind = _OWN_BIND.match(text)
        if bind and int(bind[1]) in self.own:
            return f"{LOOPBACK}:{self.own[int(bind[1])]}"
        return self.text(text)

    def number(self, key: str, value: int, *, host: str | None = None) -> int:
        """A number under a key that names a port; `host` is the peer that stands beside it."""
        name = key.lower().replace("-", "_")
        if not name.endswith("port") or value == 0:
            return value
        if host is not None and (host, value) in self.peers:
            return self.peers[host, value]
        if value in self.own:
            return self.own[value]
        return value + self.offset if name.endswith(("bind_port", "listen_port")) else value

    def is_peer(self, text: object) -> bool:
        """True for the bare name of a service."""
        return text in self._names

    def arguments(self, words: Iterable[str]) -> tuple[str, ...]:
        """A command's words: values, `--flag=value`, and a number after a flag that names a port."""
        out: list[str] = []
        previous = ""
        for word in words:
            assignment = _ASSIGNMENT.match(word)
            if assignment:
                flag, value = assignment[1], assignment[2]
                out.append(flag + self._argument(flag.rstrip("="), value))
            else:
                out.append(self._argument(previous, word))
            previous = word
        return tuple(out)

    def environment(self, values: Mapping[str, str]) -> dict[str, str]:
        """Environment variables; a number in NAME_PORT is a port."""
        return {name: self._argument(name, value) for name, value in values.items()}

    def _argument(self, flag: str, value: str) -> str:
        if value.isdigit():
            named = "port" if flag == "-p" else flag
            return str(self.number(named, int(value))) if value == str(int(value)) else value
        return self.value(value)

    def _replace_address(self, match: re.Match[str]) -> str:
        if match["bare"]:
            return LOOPBACK
        port, lead = int(match["port"]), match["lead"] or ""
        peer = match["peer"]
        if peer is None:
            return f"{lead}{LOOPBACK}:{self.own.get(port, port + self.offset if port else 0)}"
        if (peer, port) in self.peers:
            return f"{lead}{LOOPBACK}:{self.peers[peer, port]}"
        if lead:
            raise UnknownPeerPortError(
                f"{peer}:{port}: {peer} has no such port in docker-compose.yml (ports or expose)"
            )
        return match[0]

    def _replace_path(self, match: re.Match[str]) -> str:
        here = self.paths[match[0]]
        # With a mount of "/", /host/proc is /proc and not //proc.
        return here.rstrip("/") if match.string.startswith("/", match.end()) else here
