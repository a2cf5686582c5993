"""Series counted by service and metric; labels by their values, and the new ones named."""

from firedrill.report.model import Budget, Budgets
from firedrill.report.series import label_figures, metric_figures, series_figures

SERVICES = {"fds-service": "fds", "loki": "loki"}
BUDGETS = Budgets(
    {
        "series": {"fds": Budget(2, "few"), "*": Budget(10, "others")},
        "series_of_metric": {"*": Budget(1, "one each")},
        "label_values": {"status": Budget(2, "two"), "runs.status": Budget(9, "more there")},
    },
    {},
)


def series(name: str, job: str = "fds-service", **labels: str) -> dict[str, str]:
    """The labels of one series."""
    return {"__name__": name, "job": job, "instance": "i", "system": "s", **labels}


NOW = [
    series("asked", status="ok"),
    series("asked", status="bad"),
    series("took_bucket", le="1", status="ok"),
    series("took_bucket", le="2", status="new"),
    series("other", job="loki", secret="x"),
    {"__name__": "rule:asked:rate"},
    {"__name__": "traces_spanmetrics_calls_total", "service": "fds"},
]
BEFORE = [series("asked", status="ok"), series("asked", status="bad"), series("took_bucket", status="ok")]


def test_each_service_has_its_number_beside_its_budget() -> None:
    """Jobs by their service; recording rules and Tempo's have none; all together at the end."""
    found = {one.subject: one for one in series_figures(NOW, services=SERVICES, budgets=BUDGETS)}
    assert {name: one.value for name, one in found.items()} == {
        "fds": 4, "loki": 1, "recording rules": 1, "span metrics": 1, "all": 7,
    }  # fmt: skip
    assert found["fds"].exceeded
    assert not found["loki"].exceeded
    assert found["loki"].used == 0.1


def test_each_metric_has_its_number_and_its_owners() -> None:
    """The largest first; a part of a histogram is a metric of its own."""
    found = list(metric_figures(NOW, services=SERVICES, budgets=BUDGETS))
    assert [(one.subject, one.value) for one in found[:2]] == [("asked", 2), ("took_bucket", 2)]
    assert found[0].note == "fds"
    assert [one.subject for one in found if one.exceeded] == ["asked", "took_bucket"]


def test_a_label_is_counted_where_it_has_most_values_and_its_new_ones_are_named() -> None:
    """Only of the demo services; labels that say where a series is from do not count, nor does `le`."""
    [status] = label_figures(NOW, BEFORE, jobs=frozenset({"fds-service"}), budgets=BUDGETS, seconds=300)
    assert (status.subject, status.value, status.exceeded) == ("status", 2, False)
    assert status.note == "took of fds-service; 1 new in 5 min: new"


def test_two_services_with_the_same_metric_do_not_add_up() -> None:
    """The library's bound is that of one process."""
    now = [series("asked", status="ok"), series("asked", job="loki", status="bad")]
    [found] = label_figures(now, now, jobs=frozenset(SERVICES), budgets=BUDGETS, seconds=300)
    assert found.value == 1


def test_a_metric_with_a_budget_of_its_own_stands_by_itself() -> None:
    """`metric.label` in the budgets."""
    now = [*NOW, series("runs", status="a"), series("runs", status="b"), series("runs", status="c")]
    found = list(label_figures(now, now, jobs=frozenset({"fds-service"}), budgets=BUDGETS, seconds=300))
    assert [(one.subject, one.value, one.exceeded) for one in found] == [
        ("runs.status", 3, False),
        ("status", 2, False),
    ]


def test_a_label_that_is_unknown_to_the_budgets_has_none() -> None:
    """The contract test refuses it before it is measured."""
    [found] = label_figures(
        [series("x", user="1")], [], jobs=frozenset({"fds-service"}), budgets=BUDGETS, seconds=1
    )
    assert (found.subject, found.budget, found.exceeded) == ("user", None, False)
