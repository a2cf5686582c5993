"""The cache of built binaries: each beside its SHA-256 and recipe, trusted when both match."""

import hashlib
import os
import shutil
from pathlib import Path

from firedrill.build.pins import ROOT, Component
from firedrill.build.settings import Settings

SHAPING = (
    "toolchain", "module", "module_version", "sum", "version", "version_variables", "tags", "placeholders",
    "replace_with_required", "first", "cgo", "files",
)  # fmt: skip
_CHUNK = 1 << 20
_verified: dict[tuple[str, int, int], bool] = {}


def folder(settings: Settings, component: Component) -> Path:
    """Where the cache keeps this component's binaries, whether they are there or not."""
    return settings.bin / f"{component.folder_name}-{settings.target}"


def cached(settings: Settings, component: Component, binary: str) -> Path | None:
    """The cached binary when its checksum matches and its pin has not changed since, else None."""
    path = folder(settings, component) / binary
    return path if _matches(path, recipe(component, binary)) else None


def install(settings: Settings, component: Component, binary: str, built: Path) -> Path:
    """Move `built`, from the same file system, into the cache; readers see all of it or nothing."""
    target = folder(settings, component)
    target.mkdir(parents=True, exist_ok=True)
    for opened in (settings.cache, settings.bin, target):
        _open_to_readers(opened)
    built.chmod(0o755)
    digest = _digest(built)
    note = built.with_name(built.name + ".sha256")
    note.write_text(f"{digest}  {binary}\n# recipe {recipe(component, binary)}\n")
    note.chmod(0o644)
    with built.open("rb") as handle:
        os.fsync(handle.fileno())
    built.rename(target / binary)
    note.rename(target / f"{binary}.sha256")
    return target / binary


def keep_files(settings: Settings, component: Component, sources: Path) -> None:
    """Copy into the cache, beside the binaries, what the component reads of its own sources when it runs."""
    target = folder(settings, component)
    for path in {found for pattern in component.files for found in sources.glob(pattern)}:
        copy = target / path.relative_to(sources)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    for path in target.rglob("*") if component.files else ():
        path.chmod(0o755 if path.is_dir() else path.stat().st_mode | 0o444)


def recipe(component: Component, binary: str) -> str:
    """A short hash of everything in the pin, and in the project's own sources, that shapes the binary."""
    shaping = {name: value for name in SHAPING if (value := getattr(component, name))}
    digest = hashlib.sha256(repr([component.binaries[binary], *shaping.items()]).encode())
    if component.source:
        for path in sorted((ROOT / component.source).iterdir()):
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _matches(path: Path, wanted_recipe: str) -> bool:
    note = path.with_name(path.name + ".sha256")
    try:
        stat, words = path.stat(), note.read_text().split()
    except OSError:
        return False
    if len(words) != 5 or words[4] != wanted_recipe:
        return False
    expected = words[0]
    key = (f"{path}:{expected}", stat.st_mtime_ns, stat.st_size)
    if key not in _verified:  # hashing 100 MB takes a quarter of a second: once per file and process
        _verified[key] = os.access(path, os.X_OK) and _digest(path) == expected
    return _verified[key]


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _open_to_readers(path: Path) -> None:
    if path.stat().st_uid == os.geteuid():
        path.chmod(path.stat().st_mode | 0o755)
