"""Which engines the stack runs on."""

import pytest

from firedrill.engine.facts import Engine, judge, read_engine
from tests.unit.engine.docker_info import info

GOOD = Engine("29.0.2", "2.40.3")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, GOOD),
        ({"OperatingSystem": "Docker Desktop"}, Engine("29.0.2", "2.40.3", desktop=True)),
        (
            {"SecurityOptions": ["name=seccomp", "name=rootless", "name=cgroupns"]},
            Engine("29.0.2", "2.40.3", rootless=True),
        ),
        # moby issue 42151: MemoryLimit is true although nothing is limited.
        (
            {"SecurityOptions": ["name=rootless"], "CgroupDriver": "none"},
            Engine("29.0.2", "2.40.3", rootless=True, memory_limits=False),
        ),
        ({"SecurityOptions": None, "MemoryLimit": False}, Engine("29.0.2", "2.40.3", memory_limits=False)),
    ],
)
def test_what_the_engine_says_of_itself(facts: dict[str, object], expected: Engine) -> None:
    """Version, Docker Desktop, rootless, memory limits."""
    assert read_engine(info(**facts), "2.40.3\n") == expected


@pytest.mark.parametrize("text", ["", "Client:\n Version: 20", "[1]"])
def test_an_answer_that_is_none_is_an_error(text: str) -> None:
    """It is said, not taken for an engine."""
    with pytest.raises(ValueError, match=r".+"):
        read_engine(text, "2.40.3")


@pytest.mark.parametrize(
    ("engine", "what", "why"),
    [
        (Engine("19.03.15", "2.40.3"), "the docker engine is too old", "19.03.15, and docker-compose"),
        (Engine("29.0.2", "v2.5.0"), "docker compose is too old", "needs 2.20"),
        (Engine("29.0.2", "1.29.2"), "docker compose is too old", "1.29.2"),
        (
            Engine("29.0.2", "2.40.3", rootless=True, memory_limits=False),
            "rootless docker engine cannot limit memory",
            "cgroup v2",
        ),
    ],
)  # fmt: skip
def test_an_engine_that_will_not_do(engine: Engine, what: str, why: str) -> None:
    """What it is, what it needs, and the way without."""
    problem = judge(engine).problem
    assert problem is not None
    assert what in problem.what
    assert why in problem.why
    assert "make up RUNTIME=local" in problem.todo


@pytest.mark.parametrize(
    "engine",
    [GOOD, Engine("20.10.24+dfsg1", "2.20.0"), Engine("dev", ""), Engine("20260101.1", "5.0.0-rc.1")],
)
def test_an_engine_that_will_do(engine: Engine) -> None:
    """The oldest that is allowed, and one whose version cannot be read."""
    assert judge(engine).problem is None
    assert judge(engine).without == {}


def test_docker_desktop_has_no_machine_to_measure() -> None:
    """node-exporter would show the virtual machine: it is left out, with the reason."""
    verdict = judge(Engine("29.0.2", "2.40.3", desktop=True))
    assert verdict.problem is None
    assert "virtual machine" in verdict.without["node-exporter"]


def test_a_rootless_engine_that_limits_memory_is_used_with_a_note() -> None:
    """It is not refused for being rootless."""
    verdict = judge(Engine("29.0.2", "2.40.3", rootless=True))
    assert verdict.problem is None
    assert "rootless" in verdict.notes[0]
