"""What comes before the first container: the engine asked, ports looked at, missing images pulled."""

import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Protocol

from firedrill.engine.facts import Verdict, judge, read_engine
from firedrill.engine.messages import LOCAL, RegistryProblem, classify
from firedrill.errors import EnvironmentProblem
from firedrill.topology import Topology

QUESTION_SECONDS = 10.0
PULL_SECONDS = 1800.0
AT_ONCE = 3
Say = Callable[[str], None]


@dataclass(frozen=True)
class Said:
    """How a command ended: its exit code, its output and what it said of errors."""

    code: int
    output: str
    errors: str


class Run(Protocol):
    """Runs a docker command; OSError when there is no such program, TimeoutExpired after `seconds`."""

    def __call__(self, *words: str, seconds: float) -> Said: ...


def run(*words: str, seconds: float) -> Said:
    """By the docker on PATH."""
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, timeout=seconds, check=False, errors="replace"
    )
    return Said(done.returncode, done.stdout, done.stderr)


def question(ask: Run = run) -> Verdict:
    """Whether there is an engine with a compose on which this stack runs."""
    answers = []
    for words in (("info", "--format", "{{json .}}"), ("compose", "version", "--short")):
        try:
            said = ask(*words, seconds=QUESTION_SECONDS)
        except OSError:
            return Verdict(
                EnvironmentProblem(
                    "there is no docker", "no docker command on PATH", f"install an engine, {LOCAL}"
                )
            )
        except subprocess.TimeoutExpired:
            return Verdict(
                EnvironmentProblem(
                    "the docker engine does not answer",
                    f"`docker {words[0]}` took more than {QUESTION_SECONDS:g} s",
                    f"restart it, {LOCAL}",
                )
            )
        # `docker info` ends with 0 in some versions when the engine is not there, and says so in its output.
        problem = classify(f"{said.errors}\n{said.output}") if said.code or words[0] == "info" else None
        if problem is None and said.code:
            problem = EnvironmentProblem(
                f"`docker {' '.join(words[:2])}` failed",
                _last(said.errors or said.output),
                f"mend it, {LOCAL}",
            )
        if problem is not None:
            return Verdict(problem)
        answers.append(said.output)
    try:
        return judge(read_engine(*answers))
    except ValueError as error:
        return Verdict(
            EnvironmentProblem("docker info cannot be read", str(error), f"docker info shows it, {LOCAL}")
        )


def prepare(
    topology: Topology,
    *,
    without: Iterable[str],
    profiles: Iterable[str],
    taken: Callable[[int], bool] | None,
    say: Say,
    ask: Run = run,
) -> None:
    """Pull the images that are missing, with a line for each. Raises EnvironmentProblem; nothing is started.

    `taken` tells whether a port on 127.0.0.1 is in use; None when our own containers run already.
    """
    left, active = set(without), set(profiles)
    services = [
        one
        for name, one in topology.services.items()
        if name not in left and (not one.profiles or active & set(one.profiles))
    ]
    if taken is not None:
        used = {
            port.host: (one.name, port.variable)
            for one in services
            for port in one.ports
            if port.variable and taken(port.host)
        }
        if used:
            raise _ports(used)
    # What is built here has no registry; compose builds it when it starts.
    _pull(_missing({one.image for one in services if not one.hints.python}, ask), say, ask)


def _missing(images: Iterable[str], ask: Run) -> list[str]:
    said = ask("images", "--format", "{{.Repository}}:{{.Tag}}", seconds=QUESTION_SECONDS)
    there = {name.removeprefix("docker.io/").removeprefix("library/") for name in said.output.split()}
    return sorted(name for name in images if name.removeprefix("docker.io/") not in there)


def _pull(images: Sequence[str], say: Say, ask: Run) -> None:
    if not images:
        return
    say(f"{len(images)} images are missing and are pulled, {min(AT_ONCE, len(images))} at a time")
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        works = {pool.submit(_pull_one, image, ask): image for image in images}
        try:
            for number, work in enumerate(as_completed(works), 1):
                say(f"  {number} of {len(images)}: {works[work]}, {work.result():.0f} s")
        finally:
            # After the first that failed no other is begun.
            pool.shutdown(cancel_futures=True)


def _pull_one(image: str, ask: Run) -> float:
    began = time.monotonic()
    try:
        said = ask("pull", "--quiet", image, seconds=PULL_SECONDS)
    except subprocess.TimeoutExpired:
        raise RegistryProblem(
            f"{image} cannot be pulled", f"not within {PULL_SECONDS / 60:.0f} minutes", f"try again, {LOCAL}"
        ) from None
    if said.code:
        why = said.errors or said.output
        raise classify(why) or RegistryProblem(
            f"{image} cannot be pulled", _last(why), f"docker pull {image}, {LOCAL}"
        )
    return time.monotonic() - began


def _ports(used: Mapping[int, tuple[str, str | None]]) -> EnvironmentProblem:
    named = ", ".join(f"{port} ({name})" for port, (name, _) in sorted(used.items()))
    variables = ", ".join(sorted(str(variable) for _, variable in used.values()))
    return EnvironmentProblem(
        f"port{'s' if len(used) > 1 else ''} {named} {'are' if len(used) > 1 else 'is'} taken",
        "another process listens there",
        f"stop it (`ss -ltnp` shows it), or set {variables} in .env, {LOCAL}",
    )


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it said nothing"
