"""Each component's own tool run over the candidate, before anything of the running stack is touched."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from firedrill.binaries import locate
from firedrill.reload.candidate import Candidate, Piece
from firedrill.reload.findings import Finding, finding

TOOL_SECONDS = 60.0
_LINTS = ("--lint=all", "--lint-fatal")


@dataclass(frozen=True)
class Tool:
    """A component's checker: `words` before the files, whose names have `prefix` before them.

    `verbatim`: also run over the files as they are written, because paced copies have other line numbers.
    """

    binary: str
    words: tuple[str, ...]
    prefix: str = ""
    verbatim: bool = False


TOOLS = {
    "prometheus": Tool("promtool", ("check", "config", *_LINTS), verbatim=True),
    "alertmanager": Tool("amtool", ("check-config",), verbatim=True),
    "loki": Tool("loki", ("-verify-config=true",), "-config.file="),
    "promtail": Tool("promtail", ("-check-syntax",), "-config.file="),
    "collector": Tool("otelcol", ("validate",), "--config="),
    "jaeger": Tool("jaeger", ("validate",), "--config="),
    "tempo": Tool("tempo", ("-config.verify=true",), "-config.file="),
}


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


def check(candidate: Candidate, scratch: Path, *, run: Run) -> Iterator[Checked]:
    """Check each service that has a tool, with copies of its files below `scratch`."""
    for name, tool in TOOLS.items():
        pieces = candidate.of(name)
        if not pieces:
            continue
        configs = _configs(candidate.topology.services[name].command)
        forms = ("verbatim", "paced") if tool.verbatim else ("paced",)
        verdict = Checked(name, tool.binary)
        for form in forms:
            folder = scratch / form / name
            checked = {_copy(piece, folder, form): piece.source for piece in pieces}
            files = [folder / path.relative_to("/") for path in configs]
            answer = run(
                name, tool.binary, [*tool.words, *(f"{tool.prefix}{file}" for file in files)], folder
            )
            if answer is None:
                verdict = Checked(name, "")
                break
            code, said = answer
            if code:
                verdict = Checked(name, tool.binary, finding(said, checked, checked[files[0]]))
                break
        yield verdict


def _copy(piece: Piece, folder: Path, form: str) -> Path:
    target = folder / piece.inside.relative_to("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(piece.source.read_bytes() if form == "verbatim" else piece.content)
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
        return _ran([*compose, *image, "--entrypoint", binary, service, *words], project)

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
