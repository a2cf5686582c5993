"""A runbook's queries: which blocks are asked, what is asked of each backend, and what counts as data."""

from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest

from firedrill.drill.evidence import LiveEvidence, paced_logql, search_of
from firedrill.drill.runbook import queries
from firedrill.errors import CheckFailed

URLS = {"prometheus": "http://p", "loki": "http://l", "jaeger": "http://j"}
SERIES = {"data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "2"]}]}}
LINES = {"data": {"resultType": "streams", "result": [{"stream": {}, "values": [["1", "a"], ["2", "b"]]}]}}


def evidence(answer: object, asked: list[httpx.URL], *, tempo: bool = False) -> LiveEvidence:
    """Backends that all answer the same."""

    def answered(request: httpx.Request) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(200, json=answer)

    urls = {**URLS, **({"tempo": "http://t"} if tempo else {})}
    return LiveEvidence(urls, pace="demo", http=httpx.Client(transport=httpx.MockTransport(answered)))


def test_promql_is_asked_at_the_pace_of_the_stack() -> None:
    """Five minutes are half a minute at demo pace."""
    asked: list[httpx.URL] = []
    assert evidence(SERIES, asked).found("promql", "sum(rate(x[5m]))", since=10, until=20) == 1
    assert asked[0].params["query"] == "sum(rate(x[30s]))"


def test_lines_are_searched_since_the_drill_began() -> None:
    """Times are nanoseconds for Loki; each line counts."""
    asked: list[httpx.URL] = []
    assert evidence(LINES, asked).found("logql", '{service="fds"}', since=10, until=20) == 2
    assert (asked[0].params["start"], asked[0].params["end"]) == ("10000000000", "20000000000")


def test_traces_are_searched_as_the_line_says() -> None:
    """Jaeger's own parameters, microseconds, and nothing where there is none."""
    asked: list[httpx.URL] = []
    line = 'service=fds operation="fds.evaluate" minDuration=100ms tags={"error":"true"}'
    assert evidence({"data": None}, asked).found("traces", line, since=10, until=20) == 0
    params = dict(asked[0].params)
    assert params["operation"] == "fds.evaluate"
    assert (params["minDuration"], params["tags"]) == ("100ms", '{"error": "true"}')
    assert (params["start"], params["end"]) == ("10000000", "20000000")


def test_tempo_is_asked_only_where_it_runs() -> None:
    """None tells that apart from no traces."""
    asked: list[httpx.URL] = []
    found = evidence({"traces": [{}]}, asked)
    assert found.found("traceql", "{ }", since=10, until=20) is None
    assert asked == []
    assert evidence({"traces": [{}]}, asked, tempo=True).found("traceql", "{ }", since=10, until=20) == 1


@pytest.mark.parametrize("line", ["operation=x", "service=fds colour=blue", "fds", 'service=fds tags={"a"}'])
def test_a_search_of_another_form_is_refused(line: str) -> None:
    """Rather than asked without the part that is wrong."""
    with pytest.raises(CheckFailed, match="cannot be read"):
        search_of(line)


def test_a_promql_without_a_pace_is_refused() -> None:
    """An @ fixes a time."""
    with pytest.raises(CheckFailed, match="no known pace"):
        evidence(SERIES, []).found("promql", "x @ 5", since=10, until=20)


@pytest.mark.parametrize(
    ("query", "paced"),
    [
        ("sum(rate({a=`b`}[5m]))", "sum(rate({a=`b`}[30s]))"),
        ('{a="[5m]"} |= `[1h]`', '{a="[5m]"} |= `[1h]`'),
        ('count_over_time({a="x\\"y"}[1h])', 'count_over_time({a="x\\"y"}[6m])'),
    ],
)
def test_ranges_of_logql_have_a_pace_and_texts_have_none(query: str, paced: str) -> None:
    """What stands in quotes or backticks is somebody's text."""
    assert paced_logql(query, "demo") == paced
    assert paced_logql(query, "production") == query


def test_only_tagged_blocks_are_queries(tmp_path: Path) -> None:
    """Indented ones too; each knows its line."""
    file = tmp_path / "A.md"
    file.write_text("# A\n\n```sh\nls\n```\n\n1. x\n\n   ```promql\n   up\n   ```\n\n```text\n{}\n```\n")
    found: Sequence[object] = [(one.kind, one.text, one.line) for one in queries(file)]
    assert found == [("promql", "up", 9)]
