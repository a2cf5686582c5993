"""The examples of docs/queries.md name only what exists, and there are some for each service."""

import ast
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from firedrill.dashboards.catalogue import Catalogue
from firedrill.dashboards.check import check_logql
from firedrill.dashboards.examples import Example, examples
from firedrill.dashboards.traceql import Traces, check_traceql
from firedrill.drill.declared import declared_drills
from tests.contract.test_dashboards import known

ROOT = Path(__file__).parents[2]
EXAMPLES = examples(ROOT)
# Of the instrumentation, not of a slice.
LIBRARY = {"db.system.name", "http.route", "http.request.method", "http.response.status_code", "url.path"}
RESOURCE = {"service.name", "service.namespace", "service.version", "service.instance.id"}
every_example = pytest.mark.parametrize("one", EXAMPLES, ids=lambda one: f"{one.section}-{one.line}")


@pytest.fixture(scope="module")
def everything() -> Catalogue:
    """What slices and components declare."""
    return known()


@pytest.fixture(scope="module")
def traces(expected: dict[str, Any]) -> Traces:
    """Declared spans and attributes, and those that the slices' code sets."""
    spans = {name for one in expected["services"].values() for name in one["spans"]}
    declared = {
        key for one in expected["services"].values() for keys in one["spans"].values() for key in keys
    }
    calls = [
        node
        for path in ROOT.glob("services/*/*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
    ]
    keywords = {word.arg for call in calls for word in call.keywords if word.arg}
    texts = {
        str(call.args[0].value) for call in calls if call.args and isinstance(call.args[0], ast.Constant)
    }
    return Traces(expected["services"].keys(), spans, declared | keywords | texts | LIBRARY, RESOURCE)


@every_example
def test_an_example_names_only_what_exists(one: Example, everything: Catalogue, traces: Traces) -> None:
    """Labels and fields of log lines; services, spans and attributes of traces; the drill that fills it."""
    assert one.language in {"logql", "traceql"}
    found = (
        check_logql(one.query, everything) if one.language == "logql" else check_traceql(one.query, traces)
    )
    assert list(found) == []
    assert one.drill in {f"{drill.slice}/{drill.alert}" for drill in declared_drills(ROOT)} | {""}
    services = set(re.findall(r'service(?:\.name)?\s*=\s*"([^"]+)"', one.query))
    assert services <= traces.services
    assert one.section in services


@every_example
def test_an_example_says_which_question_it_answers(one: Example) -> None:
    """A sentence of its own before the query."""
    assert len(one.question.split()) >= 3
    assert "Empty in calm" not in one.question


def test_each_service_has_examples_of_both_languages(expected: dict[str, Any]) -> None:
    """All but the inbox, which belongs to the platform."""
    count = Counter((one.section, one.language) for one in EXAMPLES)
    for name in set(expected["services"]) - {"inbox"}:
        assert count[name, "logql"], name
        assert count[name, "traceql"], name
