"""Where a component's binary is: on PATH in the pinned release, or in the cache of what was built."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from firedrill.build import pins, settings, store
from firedrill.build.pins import Component, Pins
from firedrill.build.settings import Settings

ASKING_SECONDS = 10.0
_answers: dict[tuple[str, int, int], str] = {}


def locate(
    component: str, *, environ: Mapping[str, str] | None = None, known: Pins | None = None
) -> Path | None:
    """The path of a binary ("promtool"), or of a component's first one ("collector"), if it is there.

    PATH comes first, when the release there is the pinned one or a newer minor of it; FIREDRILL_USE_PATH=0
    leaves PATH out. Then the cache, when the checksum matches. Raises UsageError for an unknown name.
    """
    pin = wanted(component, known=known)
    binary = component if component in pin.binaries else next(iter(pin.binaries))
    configured = settings.from_environment(os.environ if environ is None else environ)
    return _on_path(configured, pin, binary) or store.cached(configured, pin, binary)


def wanted(component: str, *, known: Pins | None = None) -> Component:
    """The pin of a component or binary. Raises UsageError for an unknown name."""
    return (known or pins.load()).select([component])[0]


def missing(
    components: Iterable[str], *, environ: Mapping[str, str] | None = None, known: Pins | None = None
) -> list[str]:
    """The names among `components` of which a binary would have to be built, in the order given."""
    return [name for name in components if not _all_there(name, environ, known)]


def _all_there(name: str, environ: Mapping[str, str] | None, known: Pins | None) -> bool:
    pin = wanted(name, known=known)
    binaries = [name] if name in pin.binaries and name != pin.name else list(pin.binaries)
    return all(locate(binary, environ=environ, known=known) for binary in binaries)


def _on_path(configured: Settings, pin: Component, binary: str) -> Path | None:
    if not (configured.use_path and pin.from_path):
        return None
    found = shutil.which(binary, path=configured.search_path)
    if found is None:
        return None
    answer = _version_answer(Path(found), pin.version_arguments, configured.environ)
    return Path(found).absolute() if fits(answer, pin.version) else None


def _version_answer(path: Path, arguments: tuple[str, ...], environ: Mapping[str, str]) -> str:
    """What the binary says of its version, asked once per file and process; empty when it cannot say."""
    stat = path.stat()
    key = (str(path), stat.st_mtime_ns, stat.st_size)
    if key not in _answers:
        try:
            done = subprocess.run(
                [str(path), *arguments], env=dict(environ), cwd="/", stdin=subprocess.DEVNULL,
                capture_output=True, text=True, errors="replace", timeout=ASKING_SECONDS, check=False,
            )  # fmt: skip
            _answers[key] = done.stdout or done.stderr
        except (OSError, subprocess.SubprocessError):
            _answers[key] = ""
    return _answers[key]


def fits(answer: str, pinned: str) -> bool:
    """True when the first version in `answer` has the pinned major and at least the pinned minor number."""
    if not (found := re.search(r"\bv?(\d+)\.(\d+)\.\d+", answer)):
        return False
    major, minor = (int(part) for part in pinned.split(".")[:2])
    return int(found[1]) == major and int(found[2]) >= minor
