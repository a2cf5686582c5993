"""Two documents: every difference is named, and what is meant is said with its reason."""

import copy
from pathlib import Path
from typing import Any

import pytest

from firedrill.errors import UsageError
from firedrill.parity import Difference, compare, declared, load, save
from firedrill.parity.__main__ import main
from firedrill.parity.compare import Declared

DOCUMENT: dict[str, Any] = {
    "about": {"runtime": "docker", "pace": "demo", "started": []},
    "targets": {"fds-service/fds": {"labels": {"job": "fds-service", "system": "shopfds"}, "health": "up"}},
    "rules": {"fds/alerts.yml fds": {"FDSSLAViolation{}": {"expression": "x > 1", "for": "12.0"}}},
    "metrics": {"fds-service": {"fds_evaluations_total": {"type": "counter", "series": ["decision"]}}},
    "logs": {"fds": {"labels": ["level", "service"], "metadata": ["trace_id"], "systems": ["shopfds"]}},
    "spans": {"fds": {"fds.evaluate (internal)": {"attributes": ["score"], "usual": ["score"], "seen": 40}}},
    "resources": {"fds": ["service.name"]},
}


def other() -> dict[str, Any]:
    """The same, to be changed."""
    return copy.deepcopy(DOCUMENT)


def test_the_same_has_no_difference() -> None:
    """Whatever the runtimes are called."""
    same = other()
    same["about"] = {"runtime": "local"}
    assert compare(DOCUMENT, same).found == ()


def test_each_difference_made_on_purpose_is_named() -> None:
    """By its place, and by what each side has."""
    changed = other()
    changed["targets"]["fds-service/fds"]["labels"]["system"] = "shop"
    changed["targets"]["more/more"] = {}
    changed["rules"]["fds/alerts.yml fds"]["FDSSLAViolation{}"]["for"] = "120.0"
    changed["metrics"]["fds-service"]["fds_evaluations_total"]["series"] = ["decision", "engine"]
    changed["logs"]["fds"]["metadata"] = []
    changed["logs"]["fds"]["labels"] = ["filename", "level", "service"]
    del changed["spans"]["fds"]["fds.evaluate (internal)"]
    changed["resources"]["fds"] = ["host.name"]
    found = compare(DOCUMENT, changed, names=("docker", "local")).found
    assert found == (
        Difference("targets/fds-service/fds/labels/system", "docker: shopfds; local: shop"),
        Difference("targets/more/more", "only in local"),
        Difference("rules/fds/alerts.yml fds/FDSSLAViolation{}/for", "docker: 12.0; local: 120.0"),
        Difference("metrics/fds-service/fds_evaluations_total/series", "only in local: engine"),
        Difference("logs/fds/labels", "only in local: filename"),
        Difference("logs/fds/metadata", "only in docker: trace_id"),
        Difference("spans/fds/fds.evaluate (internal)", "only in docker"),
        Difference("resources/fds", "only in docker: service.name; only in local: host.name"),
    )


def test_a_family_without_series_yet_is_no_difference() -> None:
    """It is there on both sides; nothing has happened that it would count."""
    quiet = other()
    del quiet["metrics"]["fds-service"]["fds_evaluations_total"]["series"]
    assert compare(DOCUMENT, quiet).found == ()
    del quiet["metrics"]["fds-service"]["fds_evaluations_total"]
    assert [one.place for one in compare(DOCUMENT, quiet).found] == [
        "metrics/fds-service/fds_evaluations_total"
    ]


def test_of_a_seldom_span_nothing_is_said() -> None:
    """One that often happened on one side and never on the other is a difference, as its attributes are."""
    few, often = other(), other()
    few["spans"]["fds"]["GET /seldom"] = {"attributes": [], "usual": [], "seen": 3}
    often["spans"]["fds"]["GET /often"] = {"attributes": [], "usual": [], "seen": 30}
    assert compare(DOCUMENT, few).found == ()
    assert [one.place for one in compare(DOCUMENT, often).found] == ["spans/fds/GET /often"]
    more = other()
    more["spans"]["fds"]["fds.evaluate (internal)"] = {
        "attributes": ["new", "rare"],
        "usual": ["new"],
        "seen": 39,
    }
    assert compare(DOCUMENT, more).found == (
        Difference("spans/fds/fds.evaluate (internal)/attributes", "only in A: score; only in B: new"),
    )
    more["spans"]["fds"]["fds.evaluate (internal)"]["seen"] = 2
    assert compare(DOCUMENT, more).found == ()


def test_what_is_meant_is_told_apart_with_its_reason() -> None:
    """And hides nothing else."""
    more = other()
    more["targets"]["grafana/grafana"] = {}
    more["targets"]["loki/loki"] = {}
    verdict = compare(DOCUMENT, more, [Declared("targets/grafana/*", "it has no page here")])
    assert [one.place for one in verdict.found] == ["targets/loki/loki"]
    assert [(one.place, why) for one, why in verdict.explained] == [
        ("targets/grafana/grafana", "it has no page here")
    ]


def test_the_declared_ones_are_few_and_have_reasons() -> None:
    """A pattern for a whole part would hide what is looked for."""
    for one in declared():
        assert one.place.count("/") >= 1
        assert not one.place.split("/")[1].startswith("*")
        assert len(one.why) > 10


def test_files_are_compared_by_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1 and a line for each difference; 0 when there is none."""
    first, second = tmp_path / "docker.json", tmp_path / "local.json"
    changed = other() | {"about": {"runtime": "local"}}
    save(first, DOCUMENT)
    save(second, changed)
    assert main(["compare", str(first), str(second)]) == 0
    assert "the same" in capsys.readouterr().out
    changed["logs"]["fds"]["labels"] = ["level"]
    save(second, changed)
    assert main(["compare", str(first), str(second)]) == 1
    assert "logs/fds/labels: only in docker: service\n1 difference" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", '{"targets": {}}'])
def test_a_file_that_is_none_is_refused(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what to do; two wrong files are not the same."""
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(UsageError):
        load(path)
    assert main(["compare", str(path), str(path)]) == 2
    assert "x.json" in capsys.readouterr().err
