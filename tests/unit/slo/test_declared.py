"""slo.yml: what is read, and what is refused by name."""

from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from firedrill.errors import TopologyError
from firedrill.slo import read_objectives

GOOD = {
    "name": "shop-latency",
    "alert": "ShopSLOBurn",
    "means": "95% of the shop's requests are quick",
    "objective": 95,
    "labels": {"system": "shopfds", "service": "shop", "component": "api"},
    "dashboard": "shop-overview",
    "events": "requests_count",
    "good": 'requests_bucket{le="0.2"}',
}


def written(tmp_path: Path, *entries: object) -> Path:
    """An slo.yml in a slice named shop."""
    file = tmp_path / "shop" / "slo.yml"
    file.parent.mkdir()
    file.write_text(yaml.safe_dump({"slos": list(entries)}))
    return file


def test_reads_an_objective(tmp_path: Path) -> None:
    """The budget is what the objective leaves, exactly; the slice is the folder."""
    (found,) = read_objectives(written(tmp_path, {**GOOD, "objective": 99.9}))
    assert (found.slice, found.name, found.alert) == ("shop", "shop-latency", "ShopSLOBurn")
    assert found.budget == Decimal("0.001")
    assert (found.events, found.good, found.bad) == ("requests_count", 'requests_bucket{le="0.2"}', None)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"target": 5}, "unknown key target"),
        ({"means": None}, "means must be one line without braces"),
        ({"means": "{{ $value }} is too much"}, "means must be one line without braces"),
        ({"name": "Shop Latency"}, "name must be small letters"),
        ({"alert": "ShopSlow"}, "alert must be a name that ends in SLOBurn"),
        ({"objective": 100}, "objective must be a percentage"),
        ({"objective": 0}, "objective must be a percentage"),
        ({"objective": "most"}, "objective must be a percentage"),
        ({"objective": True}, "objective must be a percentage"),
        ({"objective": ".nan"}, "objective must be a percentage"),
        ({"labels": {"system": "shopfds"}}, "labels must be exactly system, service, component"),
        ({"labels": {**GOOD["labels"], "service": 5}}, "label service must be a word"),  # type: ignore[dict-item]  # a plain document
        ({"events": "rate(requests_count[5m])"}, "events must be the selector of a counter"),
        ({"good": "requests_count[5m]"}, "good must be the selector of a counter"),
        ({"bad": "errors_total"}, "either good or bad"),
    ],
)
def test_refuses_what_cannot_be_meant(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    """With file and objective."""
    with pytest.raises(TopologyError) as refused:
        read_objectives(written(tmp_path, {**GOOD, **change}))
    assert "shop/slo.yml: objective" in str(refused.value)
    assert reason in str(refused.value)


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_refuses_an_objective_that_lacks_something(tmp_path: Path, missing: str) -> None:
    """It is named."""
    with pytest.raises(TopologyError) as refused:
        read_objectives(written(tmp_path, {key: value for key, value in GOOD.items() if key != missing}))
    assert missing in str(refused.value)


def test_refuses_two_objectives_of_one_name(tmp_path: Path) -> None:
    """Their recorded series would be the same."""
    with pytest.raises(TopologyError, match="objective shop-latency"):
        read_objectives(written(tmp_path, GOOD, {**GOOD, "alert": "OtherSLOBurn"}))


@pytest.mark.parametrize("text", ["slos: [", "slos: []", "[]", "slos: [x]", "slos: [{}]\nother: 1"])
def test_refuses_a_file_of_another_form(tmp_path: Path, text: str) -> None:
    """The file is named; nothing is guessed."""
    file = tmp_path / "slo.yml"
    file.write_text(text)
    with pytest.raises(TopologyError, match=r"slo\.yml"):
        read_objectives(file)


def test_refuses_a_file_that_is_not_there(tmp_path: Path) -> None:
    """As one that cannot be read."""
    with pytest.raises(TopologyError, match="cannot be read"):
        read_objectives(tmp_path / "slo.yml")
