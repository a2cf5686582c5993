"""Which runtime runs the stack, by what is asked for and what the engine answers."""

import pytest

from firedrill.engine import Verdict
from firedrill.engine.messages import RegistryProblem
from firedrill.errors import EnvironmentProblem
from firedrill.runtime import choose, or_local
from firedrill.settings import Settings

OLD = EnvironmentProblem("the docker engine is too old", "it is 20.10", "make up RUNTIME=local")


def asked(
    runtime: str, *, local_runs: bool = False, problem: EnvironmentProblem | None = None
) -> tuple[str, str]:
    """The choice with an engine that has this problem."""
    return choose(Settings({"RUNTIME": runtime}), local_runs=local_runs, verdict=lambda: Verdict(problem))


def test_docker_when_an_engine_answers_and_local_when_not() -> None:
    """And the reason why not."""
    assert asked("") == ("docker", "an engine answers")
    assert asked("", problem=OLD) == ("local", "the docker engine is too old")


def test_what_is_asked_for_is_taken_or_refused() -> None:
    """RUNTIME=docker never becomes local in silence; RUNTIME=local asks no engine."""
    assert asked("docker") == ("docker", "RUNTIME=docker")
    assert asked("local", problem=OLD) == ("local", "RUNTIME=local")
    with pytest.raises(EnvironmentProblem, match="too old"):
        asked("docker", problem=OLD)


def test_a_local_stack_that_runs_is_followed() -> None:
    """A second `make up` does not start containers beside it."""
    assert asked("", local_runs=True) == ("local", "it runs already")


def test_without_images_the_local_runtime_takes_over_unless_docker_was_asked_for() -> None:
    """And says why; a problem that is not the registry's is never passed over."""

    def fails(problem: EnvironmentProblem) -> tuple[str, ...]:
        raise problem

    away = RegistryProblem("the registry cannot be reached")
    assert or_local(Settings({}), lambda: fails(away)) == ((), "the registry cannot be reached")
    with pytest.raises(RegistryProblem):
        or_local(Settings({"RUNTIME": "docker"}), lambda: fails(away))
    with pytest.raises(EnvironmentProblem, match="too old"):
        or_local(Settings({}), lambda: fails(OLD))
    assert or_local(Settings({}), lambda: ("node-exporter",)) == (("node-exporter",), "")
