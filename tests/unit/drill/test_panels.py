"""A drill asks the panels and examples that only it fills."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from firedrill.drill.declared import chosen, declared_drills
from firedrill.drill.model import Drill
from firedrill.drill.panels import filled_by
from firedrill.pace.check import PROJECT

PANELS = """panels:
- {dashboard: board, panel: Firing, drill: fds/FDSSLAViolation, why: no alert fires}
- {dashboard: board, panel: Other, drill: fds/Other, why: calm}
- {dashboard: board, panel: Few, while: up < 1, why: too few}
"""
PAGE = """## fds

Slow? Empty in calm; filled by the drill `fds/FDSSLAViolation`.

```traceql
{ duration > 100ms }
```

Any?

```logql
{service="fds"}
```
"""


@pytest.fixture
def drill(tmp_path: Path) -> Drill:
    """The drill FDSSLAViolation in a project with one dashboard."""
    (found,) = chosen(declared_drills(PROJECT), ["FDSSLAViolation"])
    return replace(found, file=tmp_path / "services/fds/drills.yml")


def dashboard(project: Path) -> None:
    """Three panels, one a line."""
    panels = [
        {
            "title": title,
            "targets": [{"datasource": {"uid": "prometheus"}, "expr": f"{title.lower()}[$__range]"}],
        }
        for title in ("Firing", "Other", "Few")
    ]
    made = {
        "uid": "board",
        "title": "Board",
        "time": {"from": "now-30m"},
        "templating": {"list": []},
        "annotations": {"list": []},
        "panels": panels,
    }
    (project / "dashboards/shopfds").mkdir(parents=True)
    (project / "dashboards/shopfds/board.json").write_text(json.dumps(made, indent=1))
    (project / "dashboards/empty_in_calm.yml").write_text(PANELS)


def test_its_panels_and_examples_are_asked_and_no_others(drill: Drill, tmp_path: Path) -> None:
    """Each with its place, macros filled in, for the datasource that it is for."""
    dashboard(tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/queries.md").write_text(PAGE)
    panel, example = filled_by(drill)
    assert panel[0].name == "board.json"
    assert panel[2:] == ("prometheus", "firing[30m]")
    assert '"Firing"' in panel[0].read_text().splitlines()[panel[1] - 1]
    assert example == (tmp_path / "docs/queries.md", 5, "tempo", "{ duration > 100ms }")


def test_a_drill_that_fills_nothing_asks_nothing(drill: Drill, tmp_path: Path) -> None:
    """Nor does one of a project without dashboards."""
    assert list(filled_by(drill)) == []
    dashboard(tmp_path)
    assert list(filled_by(replace(drill, alert="FDSPrecisionDrop"))) == []
