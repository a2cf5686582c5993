"""What a dashboard asks is read from its JSON and filled in as Grafana fills it in."""

from pathlib import Path
from typing import Any

import pytest

from firedrill.dashboards.expressions import ExpressionError
from firedrill.dashboards.live import Ask, Variable, empty_in_calm, filled, live, macros, scrape_seconds

PROMETHEUS, LOKI = {"uid": "prometheus"}, {"uid": "loki"}


def made(**more: Any) -> dict[str, Any]:
    """A compiled dashboard with one panel."""
    panel = {"title": "P", "targets": [{"datasource": PROMETHEUS, "expr": "up", "instant": True}]}
    return {
        "uid": "x",
        "title": "X",
        "time": {"from": "now-30m", "to": "now"},
        "templating": {"list": []},
        "annotations": {"list": [{"name": "Alerts", "datasource": PROMETHEUS, "expr": "ALERTS"}]},
        "panels": [panel],
        **more,
    }


def test_panels_annotations_and_the_time_shown_are_read() -> None:
    """A panel without queries is none, one in a row is one."""
    inner = {"title": "L", "datasource": LOKI, "targets": [{"expr": "{a=`b`}"}]}
    found = live(made(panels=[{"title": "Row", "panels": [inner]}, {"title": "Text"}]), "shopfds")
    assert (found.folder, found.range_seconds) == ("shopfds", 1800)
    assert [(one.title, one.asks) for one in found.panels] == [("L", (Ask("loki", "{a=`b`}"),))]
    assert found.annotations[0].asks == (Ask("prometheus", "ALERTS"),)
    assert live(made(), "x").panels[0].asks[0].instant


def test_variables_are_read_for_both_datasources() -> None:
    """Values of a label: of a metric, or of the streams of logs."""
    variables = [
        {"name": "tenant", "datasource": PROMETHEUS, "query": {"query": "label_values(up, tenant_id)"}},
        {"name": "service", "datasource": LOKI, "query": {"label": "service", "type": 1}},
    ]
    assert live(made(templating={"list": variables}), "x").variables == (
        Variable("tenant", "prometheus", "tenant_id", "up"),
        Variable("service", "loki", "service"),
    )
    variables[0]["query"] = {"query": "query_result(up)"}
    with pytest.raises(ExpressionError, match="tenant of x cannot be read"):
        live(made(templating={"list": variables}), "x")


def test_macros_are_what_grafana_makes_of_them() -> None:
    """The rate's interval covers four scrapes, and one step more than a scrape when steps are long."""
    short, long = macros(1800, 15), macros(86400, 15)
    assert (short["__rate_interval"], short["__interval"], short["__range"]) == ("60s", "15s", "1800s")
    assert (long["__interval"], long["__rate_interval"]) == ("216s", "231s")
    assert scrape_seconds(Path(__file__).parents[3]) == 15


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('rate(x{t=~"$t"}[$__rate_interval])', 'rate(x{t=~"(a|b\\\\.c)"}[60s])'),
        ("x[${__range}]", "x[1800s]"),
        ("$one and ${t:regex}", "z and (a|b\\\\.c)"),
        ('label_replace(x, "a", "$1", "b", "(.+)")', 'label_replace(x, "a", "$1", "b", "(.+)")'),
    ],
)
def test_macros_and_variables_are_filled_in(text: str, expected: str) -> None:
    """Several values as one regular expression; what is no name stays."""
    assert filled(text, macros(1800, 15), {"t": ["a", "b.c"], "one": ["z"]}) == expected


def test_what_nothing_fills_in_is_said() -> None:
    """A macro or a variable that is not known would be asked as it stands."""
    with pytest.raises(ExpressionError, match=r"\$__auto"):
        filled("x[$__auto]", macros(1800, 15), {})


def test_reasons_to_be_empty_are_read(tmp_path: Path) -> None:
    """A drill or a condition; none without the file."""
    assert empty_in_calm(tmp_path) == {}
    (tmp_path / "dashboards").mkdir()
    (tmp_path / "dashboards/empty_in_calm.yml").write_text(
        "panels:\n- {dashboard: x, panel: A, drill: s/D, why: no alert}\n"
        "- {dashboard: x, panel: B, while: up < 1, why: too few}\n"
    )
    found = empty_in_calm(tmp_path)
    assert found["x", "A"].drill == "s/D"
    assert (found["x", "B"].meanwhile, found["x", "B"].why) == ("up < 1", "too few")
