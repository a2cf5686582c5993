"""drills.yml: what is read from it, and what is refused by file and drill."""

from pathlib import Path

import pytest
import yaml

from firedrill.drill.declared import chosen, declared_drills, read_drills
from firedrill.drill.model import Deadlines, Notice
from firedrill.errors import TopologyError, UsageError

RULES = {
    "groups": [
        {
            "name": "g",
            "rules": [
                {"record": "r", "expr": "x"},
                {"alert": "A", "expr": "x > 1", "labels": {"system": "s", "owner": "{{ $labels.owner }}"}},
            ],
        }
    ]
}


def entry() -> dict[str, object]:
    """A complete drill."""
    return {
        "alert": "A",
        "fault": {"service": "x", "name": "slow"},
        "traffic": {"target": "x", "rate": 3, "arrives": "sum(rate(y[1m]))"},
        "signal": {"query": "rate(z[1m])", "above": 0, "means": "z"},
        "ideal": [{"series": "z", "healthy": 0, "faulty": 1}],
        "deadlines": {"demo": {"fire": "45s", "clear": "75s"}, "production": {"fire": "7m", "clear": "11m"}},
        "notifies": [{"receiver": "inbox", "kind": "webhook"}],
    }


def written(folder: Path, drill: object, *, name: str = "x") -> Path:
    """A slice with one rule and one drill."""
    own = folder / "services" / name
    own.mkdir(parents=True)
    (own / "alerts.yml").write_text(yaml.safe_dump(RULES))
    file = own / "drills.yml"
    file.write_text(yaml.safe_dump({"drills": [drill]}))
    return file


def test_a_drill_is_joined_with_its_rule(tmp_path: Path) -> None:
    """Static labels tell alerts of one name apart; a label that is a template cannot."""
    [drill] = read_drills(written(tmp_path, entry()))
    assert drill.labels == {"system": "s"}
    assert drill.slice == "x"
    assert drill.fault.parameters == {}
    assert drill.deadlines["production"] == Deadlines(420.0, 660.0)
    assert drill.notices == (Notice("inbox", "webhook"),)
    assert drill.also_expected == frozenset()


def test_drills_are_found_by_files(tmp_path: Path) -> None:
    """A new slice needs no line elsewhere."""
    written(tmp_path, entry(), name="b")
    written(tmp_path, entry(), name="a")
    assert [drill.slice for drill in declared_drills(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"alert": "B"}, "no rule of the slice has that name"),
        ({"fault": None}, "fault"),
        ({"speed": 1}, "unknown key speed"),
        ({"deadlines": {"demo": {"fire": "45s", "clear": "75s"}}}, "it lacks production"),
        ({"deadlines": {"demo": {"fire": "45", "clear": "75s"}}}, "not a Prometheus duration"),
        ({"traffic": {"target": "x", "rate": "fast", "arrives": "x"}}, "fast"),
        ({"traffic": {"target": "x", "rate": 1, "arrives": "rate(x[5])"}}, "has no demo pace"),
        ({"signal": {"query": "x", "above": 0, "means": "z", "below": 1}}, "one limit"),
        ({"signal": {"query": "x", "above": 0, "means": "z", "over": 1}}, "over"),
        ({"fault": {"process": "x", "service": "y"}}, "service"),
        ({"kind": "pulse"}, "unknown kind pulse"),
        ({"kind": "heartbeat"}, "a heartbeat has no ideal, notifies, signal, traffic"),
        ({"ideal": [{"series": "z", "healthy": 0, "broken": 1}]}, "broken"),
        ({"ideal": [{"series": "z", "before": 0, "faulty": 1}]}, "healed"),
        ({"notifies": [{"receiver": "inbox"}]}, "kind"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, changes: dict[str, object], reason: str) -> None:
    """With the file, the drill and the reason."""
    file = written(tmp_path, {**entry(), **changes})
    with pytest.raises(TopologyError) as refused:
        read_drills(file)
    assert str(file) in str(refused.value)
    assert reason in str(refused.value)


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    """As one would look for it."""
    drill = entry()
    del drill["ideal"]
    with pytest.raises(TopologyError, match="drill A cannot be used") as refused:
        read_drills(written(tmp_path, drill))
    assert "it lacks ideal" in str(refused.value)


@pytest.mark.parametrize("text", ["drills: [", "drills: 3", "[]", "drills: [3]"])
def test_a_broken_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    """Not a traceback."""
    file = written(tmp_path, entry())
    file.write_text(text)
    with pytest.raises(TopologyError, match=r"drills\.yml"):
        read_drills(file)


def test_names_choose_drills(tmp_path: Path) -> None:
    """By alert, or by slice and alert when several slices have the alert."""
    written(tmp_path, entry(), name="a")
    [drill] = declared_drills(tmp_path)
    assert chosen([drill], ["A"]) == chosen([drill], ["a/A"]) == [drill]
    with pytest.raises(UsageError, match="no drill for 'B'") as unknown:
        chosen([drill], ["B"])
    assert "a/A" in str(unknown.value)
    written(tmp_path, entry(), name="b")
    with pytest.raises(UsageError, match="several drills"):
        chosen(declared_drills(tmp_path), ["A"])
