"""Mounted files as a local process must see them: paced, with names, binds and paths resolved."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from firedrill.errors import TopologyError
from firedrill.keys import CONFIG, KEY_MODE, Keys
from firedrill.local.addresses import Addresses, UnknownPeerPortError
from firedrill.switches import OPT_IN
from firedrill.topology.document import broken_yaml

_TEXT = {".conf", ".cfg", ".html", ".ini", ".json", ".properties", ".sql", ".toml", ".tmpl", ".txt"}
# Under these keys stand names for people and queries, not addresses to connect to.
_NAMES = {"labels", "external_labels", "annotations"}
_HOSTS = ("host", "hostname", "address")
# Code is not configuration: the services run from the project itself.
_NOT_COPIED = {".py", ".pyc"}
# Files that Prometheus discovers, one for each service.
TARGETS = "targets"
_INT, _STR = "tag:yaml.org,2002:int", "tag:yaml.org,2002:str"

Pace = Callable[[Path, str], str]


@dataclass(frozen=True)
class File:
    """A file to be written: `content` is final; `mode` is for what only its owner may read."""

    target: Path
    content: bytes
    mode: int | None = None

    def write(self) -> None:
        """Make its folder and write it, in place of what was there."""
        self.target.parent.mkdir(parents=True, exist_ok=True)
        if self.mode is None:
            self.target.write_bytes(self.content)
            return
        self.target.unlink(missing_ok=True)
        with os.fdopen(os.open(self.target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, self.mode), "wb") as stream:
            stream.write(self.content)


def render(
    source: Path, target: Path, addresses: Addresses, *, pace: Pace, started: frozenset[str]
) -> Iterator[File]:
    """The rewritten copies of `source`, a file or a folder. Raises TopologyError.

    In a folder `targets`, the files of services that are not `started` are left out, and those of its folder
    `opt-in` stand beside the others.
    """
    if source.is_file():
        yield File(target, _content(source, addresses, pace))
        return
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
        if hidden or not path.is_file() or path.suffix in _NOT_COPIED:
            continue
        if is_target(path) and path.stem not in started:
            continue
        place = relative if path.parent.name != OPT_IN else relative.parent.parent / relative.name
        yield File(target / place, _content(path, addresses, pace))


def is_target(path: Path) -> bool:
    """True for a file that names scrape targets, of a service that always runs or of one that may."""
    folder = path.parent.parent if path.parent.name == OPT_IN else path.parent
    return folder.name == TARGETS and path.suffix in {".yml", ".yaml"}


def with_keys(file: File, keys: Keys) -> File:
    """Alertmanager's files with the keys of .env; every other file as it is."""
    if file.target.name == CONFIG:
        return File(file.target, keys.configuration(file.content.decode()).encode())
    key = keys.content(file.target)
    return file if key is None else File(file.target, key, KEY_MODE)


def _content(path: Path, addresses: Addresses, pace: Pace) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise TopologyError(f"{path} cannot be read", str(error), "check the file's owner and mode") from None
    is_yaml = path.suffix in {".yml", ".yaml"}
    if not is_yaml and path.suffix not in _TEXT:
        return raw
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw
    try:
        if not is_yaml:
            return addresses.text(text).encode()
        check_yaml(path, text)
        # targets/prometheus.yml is a list of targets and not Prometheus's configuration.
        paced = text if is_target(path) else pace(path, text)
        return rewrite_yaml(path, paced, addresses).encode()
    except UnknownPeerPortError as error:
        raise TopologyError(
            f"{path}: an address leads nowhere", str(error), "correct the port, or add it to ports or expose"
        ) from None


def check_yaml(path: Path, text: str) -> None:
    """Raise TopologyError with line and column when `text` cannot be parsed."""
    try:
        for _ in yaml.compose_all(text, Loader=yaml.SafeLoader):
            pass
    except yaml.YAMLError as error:
        raise broken_yaml(path, error) from None


def rewrite_yaml(path: Path, text: str, addresses: Addresses) -> str:
    """Rewrite the values of a YAML text in place: comments, order and quoting stay. Raises TopologyError."""
    edits = _Edits(text, addresses)
    try:
        for document in yaml.compose_all(text, Loader=yaml.SafeLoader):
            edits.visit(document)
    except yaml.YAMLError as error:
        raise broken_yaml(path, error) from None
    return edits.apply()


class _Edits:
    """Walks YAML nodes and collects what must be replaced, by position in the text."""

    def __init__(self, text: str, addresses: Addresses) -> None:
        self._text, self._addresses = text, addresses
        self._edits: dict[int, tuple[int, str]] = {}
        self._seen: set[int] = set()

    def visit(self, node: yaml.Node, *, key: str = "", host: str | None = None, names: bool = False) -> None:
        if isinstance(node, yaml.ScalarNode):
            self._scalar(node, key, host, names=names)
            return
        if id(node) in self._seen:  # an alias of what was done already
            return
        self._seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            peer = self._peer_beside(node)
            for key_node, value in node.value:
                name = str(key_node.value)
                self.visit(value, key=name, host=peer, names=names or name in _NAMES)
        else:
            for item in node.value:
                self.visit(item, key=key, names=names)

    def apply(self) -> str:
        parts, at = [], 0
        for start, (end, new) in sorted(self._edits.items()):
            parts += [self._text[at:start], new]
            at = end
        return "".join([*parts, self._text[at:]])

    def _peer_beside(self, node: yaml.MappingNode) -> str | None:
        """The peer that a mapping names in `host`, which a `port` beside it then belongs to."""
        for key_node, value in node.value:
            if key_node.value in _HOSTS and self._addresses.is_peer(value.value):
                return str(value.value)
        return None

    def _scalar(self, node: yaml.ScalarNode, key: str, host: str | None, *, names: bool) -> None:
        start, end = node.start_mark.index, node.end_mark.index
        raw, new = self._text[start:end], None
        if names:
            new = self._addresses.only_paths(raw)
        elif node.tag == _INT:
            if node.value.isdigit():
                new = str(self._addresses.number(key, int(node.value), host=host))
        elif node.tag == _STR:
            new = self._string(node.value, raw, key, host)
        if new is not None and new != raw:
            self._edits[start] = (end, new)

    def _string(self, value: str, raw: str, key: str, host: str | None) -> str:
        if host is not None and value == host and key in _HOSTS:
            return "127.0.0.1"
        whole = self._addresses.value(value)
        if whole == value:
            return raw
        # A plain or quoted scalar on one line keeps its quotes; a block keeps its indentation.
        return raw.replace(value, whole) if value in raw else self._addresses.text(raw)
