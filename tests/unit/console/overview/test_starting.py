"""What is still building or starting, from the state that the supervisor writes."""

from pathlib import Path

from console.overview.starting import startup
from firedrill.local.records import ServiceState, StackState, write_state


def test_what_is_not_ready_is_listed_without_the_console_itself(tmp_path: Path) -> None:
    """Phase, progress and the start of the detail; what failed is marked."""
    services = {
        "fds": ServiceState("fds", "ready"),
        "loki": ServiceState("loki", "building", 5.0, "compiling\nquerier", progress=0.4),
        "jaeger": ServiceState("jaeger", "build failed", 6.0, "no disk"),
        "console": ServiceState("console", "starting"),
    }
    state = StackState("i", "running", "p", "demo", 0.0, 1, 0.0, services=services, left_out={"tempo": "why"})
    write_state(tmp_path / "state.json", state)
    found = startup(tmp_path)
    assert found is not None
    assert (found.ready, found.total, found.left_out) == (1, 3, (("tempo", "why"),))
    loki, jaeger = found.pending
    assert (loki.name, loki.progress, loki.detail, loki.bad) == ("loki", 0.4, "compiling querier", False)
    assert (jaeger.name, jaeger.bad) == ("jaeger", True)


def test_without_the_local_runtime_nothing_is_known(tmp_path: Path) -> None:
    """With docker there is no such file."""
    assert startup(None) is None
    assert startup(tmp_path) is None
