"""Each component's own tool run over the candidate, before anything of the running stack is touched."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from firedrill.binaries import locate
from firedrill.pace.check import materialise
from firedrill.reload.candidate import Candidate, Piece
from firedrill.reload.findings import Finding, finding

TOOL_SECONDS = 60.0
_LINTS = ("--lint=all", "--lint-fatal")


@dataclass(frozen=True)
class Tool:
    """A component's checker: `words` before the files, whose names have `prefix` before them."""

    binary: str
    words: tuple[str, ...]
    prefix: str = ""


TOOLS = {
    "prometheus": Tool("promtool", ("check", "config", *_LINTS)),
    "alertmanager": Tool("amtool", ("check-config",)),
    "loki": Tool("loki", ("-verify-config=true",), "-config.file="),
    "promtail": Tool("promtail", ("-check-syntax",), "-config.file="),
    "collector": Tool("otelcol", ("validate",), "--config="),
    "log-collector": Tool("otelcol", ("validate",), "--config="),
    "jaeger": Tool("jaeger", ("validate",), "--config="),
    "tempo": Tool("tempo", ("-config.verify=true",), "-config.file="),
}
BESIDE = ("promtool", "amtool")
"""The checkers that are programs beside their component's own."""
PACED = ("prometheus", "alertmanager")
"""The components whose files have other lines in their paced copies."""


class Run(Protocol):
    """Runs a checker on files below `folder`, which stands for / of the service's container."""

    def __call__(
        self, service: str, binary: str, words: Sequence[str], folder: Path
    ) -> tuple[int, str] | None:
        """Exit code and what it said; None when the tool is not on this machine."""


@dataclass(frozen=True)
class Checked:
    """One service's verdict: which tool looked, or empty; what it found, or None."""

    service: str
    tool: str
    finding: Finding | None = None


def as_written(project: Path, scratch: Path, *, run: Run) -> Iterator[Checked]:
    """Check rules and routes as they stand in the project, for the line of what is bad in them."""
    materialise(project, scratch, "production")
    for name in PACED:
        tool, folder = TOOLS[name], scratch / name
        checked = {path: _origin(project, name, path.relative_to(folder)) for path in _files(folder)}
        main = folder / f"{name}.yml"
        answer = run(name, tool.binary, [*tool.words, str(main)], folder)
        if answer is not None:
            code, said = answer
            yield Checked(name, tool.binary, finding(said, checked, checked[main]) if code else None)


def check(candidate: Candidate, scratch: Path, *, run: Run) -> Iterator[Checked]:
    """Check each service that has a tool, with copies of its files below `scratch`."""
    for name, tool in TOOLS.items():
        pieces = candidate.of(name)
        if not pieces:
            continue
        folder = scratch / name
        volumes = candidate.volumes(name)
        checked = {_copy(piece, folder, volumes): piece.source for piece in pieces}
        files = [
            folder / path.relative_to("/") for path in _configs(candidate.topology.services[name].command)
        ]
        answer = run(name, tool.binary, [*tool.words, *(f"{tool.prefix}{file}" for file in files)], folder)
        if answer is None:
            yield Checked(name, "")
        else:
            code, said = answer
            yield Checked(name, tool.binary, finding(said, checked, checked[files[0]]) if code else None)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _origin(project: Path, name: str, inside: Path) -> Path:
    """The source of a copy that firedrill.pace made: rules lie in it as they do in the project."""
    return (
        project / inside if inside.parts[0] in ("services", "config") else project / "config" / name / inside
    )


def _copy(piece: Piece, folder: Path, volumes: Sequence[str]) -> Path:
    """The piece's copy below `folder`, where `volumes` are too: a checker may look for what it names."""
    target = folder / piece.inside.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    content = piece.content
    for volume in volumes:
        here = folder / volume.lstrip("/")
        here.mkdir(parents=True, exist_ok=True)
        named = rb"(?<![\w./-])" + re.escape(volume.encode()) + rb"(?![\w.-])"
        content = re.sub(named, str(here).replace("\\", r"\\").encode(), content)
    target.write_bytes(content)
    return target


def _configs(command: Sequence[str]) -> list[PurePosixPath]:
    """The configuration files that a service's command names, in order."""
    pairs = (word.lstrip("-").partition("=") for word in command)
    return [PurePosixPath(value) for name, _, value in pairs if name in ("config", "config.file")]


def local_run(service: str, binary: str, words: Sequence[str], folder: Path) -> tuple[int, str] | None:
    """By the binary that is on this machine."""
    found = locate(binary)
    return None if found is None else _ran([str(found), *words], folder)


def docker_run(project: Path) -> Run:
    """By a binary of this machine or else the one in the service's image."""

    def run(service: str, binary: str, words: Sequence[str], folder: Path) -> tuple[int, str] | None:
        found = local_run(service, binary, words, folder)
        if found is not None:
            return found
        compose = ["docker", "compose", "-f", str(project / "docker-compose.yml")]
        image = ["run", "--rm", "--no-deps", "-T", "--volume", f"{folder}:{folder}:ro"]
        # What checks its own files is the image's entry point, which each image calls as it likes.
        entry = ["--entrypoint", binary] if binary in BESIDE else []
        return _ran([*compose, *image, *entry, service, *words], project)

    return run


def _ran(command: Sequence[str], folder: Path) -> tuple[int, str]:
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=TOOL_SECONDS,
        check=False,
    )
    return done.returncode, f"{done.stdout}\n{done.stderr}"
