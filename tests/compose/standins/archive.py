"""What an image holds, as plain values with a content hash, and as the archive that `docker import` takes."""

import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Protocol

_CHUNK = 1 << 20


class Entry(Protocol):
    """Something at a path of the image."""

    def note(self) -> str:
        """All that the image's content depends on, as text."""

    def add(self, archive: tarfile.TarFile) -> None:
        """Put it into the archive."""


@dataclass(frozen=True)
class Owner:
    """User and group by number."""

    uid: int = 0
    gid: int = 0


ROOT = Owner()


@dataclass(frozen=True)
class Text:
    """A file with the given content."""

    path: str
    content: str
    mode: int = 0o644
    owner: Owner = ROOT

    def note(self) -> str:
        """See Entry."""
        return repr(self)

    def add(self, archive: tarfile.TarFile) -> None:
        """See Entry."""
        data = self.content.encode()
        about = _about(self.path, self.mode, self.owner)
        about.size = len(data)
        archive.addfile(about, io.BytesIO(data))


@dataclass(frozen=True)
class Program:
    """A file of this machine, executable in the image."""

    path: str
    source: Path

    def note(self) -> str:
        """See Entry."""
        return f"{self.path} {_digest(self.source)}"

    def add(self, archive: tarfile.TarFile) -> None:
        """See Entry."""
        about = _about(self.path, 0o755, ROOT)
        about.size = self.source.stat().st_size
        with self.source.open("rb") as stream:
            archive.addfile(about, stream)


@dataclass(frozen=True)
class Folder:
    """An empty folder."""

    path: str
    mode: int = 0o755
    owner: Owner = ROOT

    def note(self) -> str:
        """See Entry."""
        return repr(self)

    def add(self, archive: tarfile.TarFile) -> None:
        """See Entry."""
        about = _about(self.path, self.mode, self.owner)
        about.type = tarfile.DIRTYPE
        archive.addfile(about)


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    path: str
    target: str

    def note(self) -> str:
        """See Entry."""
        return repr(self)

    def add(self, archive: tarfile.TarFile) -> None:
        """See Entry."""
        about = _about(self.path, 0o777, ROOT)
        about.type, about.linkname = tarfile.SYMTYPE, self.target
        archive.addfile(about)


@dataclass(frozen=True)
class Tree:
    """A whole folder of this machine at `path`; its `key` says what is in it."""

    path: str
    source: Path
    key: str

    def note(self) -> str:
        """See Entry."""
        return f"{self.path} {self.key}"

    def add(self, archive: tarfile.TarFile) -> None:
        """See Entry."""
        archive.add(self.source, arcname=self.path.strip("/") or ".")


@dataclass(frozen=True)
class Image:
    """An image: its name with tag, what it holds, and what it says of itself as Dockerfile lines."""

    name: str
    entries: tuple[Entry, ...]
    settings: tuple[str, ...]

    @property
    def hash(self) -> str:
        """Of everything that shapes it."""
        text = "\n".join([self.name, *self.settings, *(entry.note() for entry in self.entries)])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def write(self, stream: IO[bytes]) -> None:
        """The archive, onto a stream."""
        with tarfile.open(fileobj=stream, mode="w|", format=tarfile.GNU_FORMAT) as archive:
            for entry in self.entries:
                entry.add(archive)

    def named(self, name: str) -> "Image":
        """The same under another name."""
        return replace(self, name=name)


def folders(*paths: str, owner: Owner = ROOT, mode: int = 0o755) -> Iterator[Folder]:
    """Several empty folders."""
    for path in paths:
        yield Folder(path, mode, owner)


def _about(path: str, mode: int, owner: Owner) -> tarfile.TarInfo:
    about = tarfile.TarInfo(path.strip("/"))
    about.mode, about.uid, about.gid = mode, owner.uid, owner.gid
    return about


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
