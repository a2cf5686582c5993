"""What docker and compose say, as they say it (said.yml), and what a user reads."""

from pathlib import Path

import pytest
import yaml

from firedrill.engine.messages import RegistryProblem, classify

SAID = yaml.safe_load((Path(__file__).parent / "said.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", SAID["engine"], ids=lambda case: case["said"].splitlines()[0][:60])
def test_what_docker_says_is_told_in_our_words(case: dict[str, str]) -> None:
    """What failed, why, what to do, and always that there is a way without containers."""
    problem = classify(case["said"])
    assert problem is not None
    assert not isinstance(problem, RegistryProblem)
    assert case["what"] in problem.what
    assert case["why"] in problem.why
    assert case["todo"] in problem.todo
    assert "make up RUNTIME=local" in problem.todo


@pytest.mark.parametrize("case", SAID["registry"], ids=lambda case: case["said"].splitlines()[0][:60])
def test_an_image_that_cannot_be_had_is_a_registry_problem(case: dict[str, str]) -> None:
    """Which one, for without it the local runtime can take over."""
    problem = classify(case["said"])
    assert isinstance(problem, RegistryProblem)
    assert case["what"] in problem.what
    assert "RUNTIME=local" in problem.todo


def test_only_the_line_that_tells_is_repeated() -> None:
    """Not the pages around it."""
    problem = classify(f"Step 1/20\n{SAID['registry'][0]['said']}\nmore")
    assert problem is not None
    assert "\n" not in problem.why
    assert "Step" not in problem.why


@pytest.mark.parametrize(
    "said",
    ["dependency failed to start: container x-1 is unhealthy", "container x-1 exited (1)"],
)
def test_a_container_that_fails_is_the_cause(said: str) -> None:
    """Compose may first have asked for an image that it could do without."""
    assert classify(f"{SAID['registry'][0]['said']}\n{said}") is None


@pytest.mark.parametrize(
    "said",
    ["", "Container firedrill-loki-1  Healthy", "dependency failed to start: container x is unhealthy"],
)
def test_what_is_not_known_is_not_guessed(said: str) -> None:
    """A container that is unhealthy is no problem of the engine."""
    assert classify(said) is None
