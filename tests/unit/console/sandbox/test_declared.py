"""Incidents' files: what is read, and that a bad one is refused with file, place and reason."""

from pathlib import Path
from typing import Any

import pytest

from console.sandbox.declared import IncidentError, declared_incidents, read_incident
from console.sandbox.model import ServiceFault, StoppedProcess
from tests.unit.console.sandbox.conftest import Write


def test_a_good_file_is_read(good: dict[str, Any], write: Write) -> None:
    """Every part arrives, durations in seconds, parameters as the values that a seed may choose from."""
    found = read_incident(write(good))
    assert found.name == "fds/slow-thing"
    assert found.page == ("SlowThing",)
    assert found.breakages == (ServiceFault("fds", "cti_slow", {"milliseconds": (140, 160)}),)
    assert found.begins_after == (5.0, 20.0)
    assert (found.limits.page, found.limits.solve, found.limits.clear) == (60.0, 600.0, 120.0)
    assert found.since.tolerance == 20.0
    assert [action.cost for action in found.actions] == [0, 5, 10]
    assert [choice.right for choice in found.questions[0].choices] == [True, False, False]
    assert not found.stops_processes


def test_a_process_may_be_stopped(good: dict[str, Any], write: Write) -> None:
    """Then the incident says that it needs a runtime that can do it."""
    good["breaks"] = [{"process": "promtail"}]
    found = read_incident(write(good))
    assert found.breakages == (StoppedProcess("promtail"),)
    assert found.stops_processes


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"title": None}, "title must be a text"),
        ({"levle": 2}, "the file has the unknown key levle"),
        ({"level": 4}, "level must be one of 1, 2, 3"),
        ({"page": []}, "page is empty"),
        ({"breaks": []}, "breaks is empty"),
        ({"breaks": [{"service": "fds"}]}, "breaks[1] lacks fault"),
        ({"breaks": [{"service": "fds", "fault": "x", "parameters": {"a": []}}]}, "breaks[1].parameters.a"),
        ({"traffic": [{"target": "fds", "rate": 500}]}, "traffic[1].rate must be"),
        ({"begins_after": ["20s", "5s"]}, "begins_after: the least is above the most"),
        ({"limits": {"page": "soon", "solve": "10m", "clear": "2m"}}, "limits.page must be a duration"),
        ({"limits": {"page": "60s", "solve": "9h", "clear": "2m"}}, "limits.solve is at most 1800 s"),
        ({"hints": [{"text": "Look.", "cost": 0}]}, "hints[1].cost must be a whole number of points"),
        ({"path": [{"do": "Look.", "why": "To see."}]}, "path[1]: exactly one of board, logs"),
        ({"misleads": "It is not."}, "loudest and misleads belong together"),
        ({"misleads": "It is not.", "loudest": "Other"}, "loudest is Other, which is neither in page nor"),
    ],
)
def test_a_bad_file_is_refused_by_name(
    good: dict[str, Any], write: Write, change: dict[str, Any], why: str
) -> None:
    """The error names the file, the place in it and what must be there."""
    with pytest.raises(IncidentError) as raised:
        read_incident(write({**good, **change}))
    assert "slow-thing.yml" in raised.value.what
    assert why in raised.value.why
    assert "CONTRIBUTING.md" in raised.value.todo


def test_what_is_missing_is_named(good: dict[str, Any], write: Write) -> None:
    """All missing keys at once."""
    del good["lesson"], good["hints"]
    with pytest.raises(IncidentError) as raised:
        read_incident(write(good))
    assert "the file lacks hints, lesson" in raised.value.why


def test_exactly_one_action_heals(good: dict[str, Any], write: Write) -> None:
    """Neither none nor two."""
    for heals in (False, True):
        good["actions"][0]["heals"] = good["actions"][2]["heals"] = heals
        with pytest.raises(IncidentError, match="cannot be used"):
            read_incident(write(good))


def test_exactly_one_answer_is_right(good: dict[str, Any], write: Write) -> None:
    """Neither none nor two."""
    choices = good["questions"]["cause"]["choices"]
    for right in (False, True):
        choices[0]["right"] = choices[2]["right"] = right
        with pytest.raises(IncidentError) as raised:
            read_incident(write(good))
        assert "questions.cause: exactly one choice has right: true" in raised.value.why


def test_ids_are_unique(good: dict[str, Any], write: Write) -> None:
    """An answer must mean one thing."""
    good["questions"]["where"]["choices"][1]["id"] = "feed"
    with pytest.raises(IncidentError) as raised:
        read_incident(write(good))
    assert "questions.where.choices: feed is there twice" in raised.value.why


def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    """With what the parser says of the place."""
    file = tmp_path / "incidents" / "broken.yml"
    file.parent.mkdir()
    file.write_text("title: [", encoding="utf-8")
    with pytest.raises(IncidentError) as raised:
        read_incident(file)
    assert "line 1" in raised.value.why


def test_easy_ones_come_first(good: dict[str, Any], write: Write) -> None:
    """By level, then by name; a slice without incidents is no error."""
    easy = write(good)
    (easy.parent / "a-hard-one.yml").write_text(easy.read_text().replace("level: 1", "level: 3"))
    services = easy.parents[2]
    (services / "empty").mkdir()
    assert list(declared_incidents(services, services / "nowhere")) == ["fds/slow-thing", "fds/a-hard-one"]
