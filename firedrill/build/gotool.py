"""The go command: where it is, which one it is, and the environment in which it builds for us."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firedrill.build.pins import Component
from firedrill.build.settings import Settings, machine_target
from firedrill.errors import EnvironmentProblem

# What decides where modules come from; everything else of a user's go settings could only harm the build.
SOURCES = (
    "GOPROXY", "GOSUMDB", "GONOSUMDB", "GOPRIVATE", "GONOPROXY", "GOINSECURE", "GOAUTH", "GOVCS",
    "GOMODCACHE", "GOCACHE",
)  # fmt: skip


@dataclass(frozen=True)
class Go:
    """A go command and the environment for its children."""

    command: Path
    environ: Mapping[str, str]

    def environment(self, component: Component) -> dict[str, str]:
        """The environment for building `component`.

        Of a module that the checksum database does not know, only our own hash vouches.
        """
        environ = dict(self.environ)
        environ |= {"GOTOOLCHAIN": component.toolchain, "CGO_ENABLED": str(int(component.cgo))}
        if not component.checksum_database:
            known = environ.get("GONOSUMDB", "")
            environ["GONOSUMDB"] = f"{known},{component.module}" if known else component.module
        return environ


def find(settings: Settings, *, toolchain: str, minimum: str) -> Go:
    """The go command of PATH or of a usual folder; EnvironmentProblem when there is none new enough."""
    places = os.pathsep.join([settings.search_path, *settings.go_folders])
    found = shutil.which("go", path=places)
    todo = (
        f"install Go {minimum} or newer (your system's package, or the archive of the Go project unpacked in "
        "/usr/local/go) and run this again; or put the finished binaries on PATH"
    )
    if found is None:
        raise EnvironmentProblem(
            "no go command was found",
            f"components are built from source with Go; looked in PATH, {', '.join(settings.go_folders)}",
            todo,
        )
    answers = ask(settings, Path(found))
    version = answers.get("GOVERSION", "unknown")
    if _numbers(version) < _numbers(minimum):
        raise EnvironmentProblem(
            f"the go command {found} is too old: {version}",
            f"only Go {minimum} and newer can fetch {toolchain}, with which the components build",
            todo,
        )
    return Go(Path(found), _environment(settings, answers, toolchain))


def ask(settings: Settings, command: Path) -> dict[str, str]:
    """What `go env` answers with the user's own settings; empty strings for what it does not know."""
    environ = {**settings.environ, "GOTOOLCHAIN": "local", "GOWORK": "off"}
    try:
        answer = subprocess.run(
            [str(command), "env", "-json", "GOVERSION", *SOURCES],
            env=environ, cwd="/", capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        values = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", "") or str(error)
        raise EnvironmentProblem(
            f"the go command {command} does not work", detail.strip(), "repair or replace that Go"
        ) from error
    return {key: str(value) for key, value in values.items()}


def module_sources(settings: Settings) -> dict[str, str]:
    """The user's proxy settings as variables, for a builder that runs as another user; empty without go."""
    found = shutil.which("go", path=os.pathsep.join([settings.search_path, *settings.go_folders]))
    if found is None:
        return {}
    answers = ask(settings, Path(found))
    return {name: answers[name] for name in SOURCES if answers.get(name) and "CACHE" not in name}


def _environment(settings: Settings, answers: Mapping[str, str], toolchain: str) -> dict[str, str]:
    goos, goarch = machine_target()
    own = settings.cache / "go"
    home = settings.environ.get("HOME", "")
    modules, objects = answers.get("GOMODCACHE", ""), answers.get("GOCACHE", "")
    kept = {key: value for key, value in settings.environ.items() if not key.startswith("GO")}
    kept |= {key: answers[key] for key in SOURCES if answers.get(key)}
    return kept | {
        "PATH": settings.search_path,
        "HOME": home if home and _writable(Path(home)) else str(own),
        "GOENV": "off",  # what counts of it is in `answers`
        "GOTOOLCHAIN": toolchain,
        "GOPATH": str(own),
        "GOMODCACHE": modules if modules and _writable(Path(modules)) else str(own / "mod"),
        "GOCACHE": objects if objects.startswith("/") and _writable(Path(objects)) else str(own / "build"),
        "GOTMPDIR": str(settings.work / "tmp"),
        "GOFLAGS": "",
        "GOWORK": "off",
        "GO111MODULE": "on",
        "GOOS": goos,
        "GOARCH": goarch,
        "CGO_ENABLED": "0",
        "LC_ALL": "C",
    }


def _writable(path: Path) -> bool:
    """True when we may write to `path`, or create it."""
    while not path.exists():
        path = path.parent
    return os.access(path, os.W_OK | os.X_OK)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
