"""The running stack as verify and the drills see it."""

import pytest

from firedrill.errors import NotRunning, UsageError
from firedrill.stack import current
from tests.unit.local.rig import Rig, server

pytestmark = pytest.mark.timeout(60)


def test_a_running_stack(rig: Rig) -> None:
    """Ports as they are used, states, settings; stopping and starting a service."""
    rig.compose(f"services:\n  {server('web', 9401)}\n")
    rig.launch(PORT_OFFSET="10000", GRAFANA_USER="admin")
    rig.wait("web", "ready")
    stack = current({"FIREDRILL_PROJECT": str(rig.project), "FIREDRILL_STATE": str(rig.layout.root)})
    assert (stack.runtime, stack.pace, stack.root, stack.started) == (
        "local",
        "production",
        rig.project,
        {"web"},
    )
    assert stack.url("web") == stack.url("web", 9401) == "http://127.0.0.1:19401"
    assert stack.settings["GRAFANA_USER"] == "admin"
    assert stack.state()["web"].phase == "ready"
    stack.stop_service("web")
    assert stack.state()["web"].phase == "held"
    stack.start_service("web")
    rig.wait("web", "ready")
    with pytest.raises(UsageError, match="no port 1"):
        stack.url("web", 1)
    with pytest.raises(UsageError, match="'wbe' has no port"):
        stack.url("wbe")
    rig.down()
    with pytest.raises(NotRunning):
        stack.state()


def test_no_running_stack(rig: Rig) -> None:
    """Says what to do."""
    with pytest.raises(NotRunning, match="the stack is not running"):
        current({"FIREDRILL_PROJECT": str(rig.project), "FIREDRILL_STATE": str(rig.layout.root)})
