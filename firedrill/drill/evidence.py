"""The queries of a runbook on the running stack: Prometheus, Loki, Jaeger and, where it runs, Tempo."""

import json
import re
import shlex
from collections.abc import Mapping

import httpx

from firedrill.clients import Backend, Loki, Prometheus
from firedrill.errors import CheckFailed
from firedrill.pace import pace_duration, pace_expression

_RANGE = re.compile(r'"(?:\\.|[^"\\])*"|`[^`]*`|\[(?P<range>\w+)\]')
_TRACES = {"service", "operation", "minDuration", "maxDuration", "tags"}
LIMIT = 20


class LiveEvidence:
    """Asks the backends; `urls` by compose service, Tempo only where it runs."""

    def __init__(self, urls: Mapping[str, str], *, pace: str, http: httpx.Client) -> None:
        self._pace = pace
        self._prometheus = Prometheus(urls["prometheus"], http=http)
        self._loki = Loki(urls["loki"], http=http)
        self._jaeger = Backend("Jaeger", urls["jaeger"], http=http)
        self._tempo = Backend("Tempo", urls["tempo"], http=http) if "tempo" in urls else None

    def found(self, kind: str, query: str, *, since: float, until: float) -> int | None:
        """As Evidence.found. Raises BackendError, and CheckFailed for a query that cannot be read."""
        ask = {
            "promql": self._promql,
            "logql": self._logql,
            "traces": self._traces,
            "traceql": self._traceql,
            "prometheus": self._as_it_stands,
            "loki": self._lines,
            "tempo": self._traceql,
        }[kind]
        return ask(query, since, until)

    def _promql(self, query: str, since: float, until: float) -> int:
        try:
            paced = pace_expression(query, self._pace)
        except ValueError as error:
            raise CheckFailed("the query has no known pace", str(error)) from None
        return self._as_it_stands(paced, since, until)

    def _as_it_stands(self, query: str, since: float, until: float) -> int:
        return len(self._prometheus.query(query).series)

    def _logql(self, query: str, since: float, until: float) -> int:
        return self._lines(paced_logql(query, self._pace), since, until)

    def _lines(self, query: str, since: float, until: float) -> int:
        answer = self._loki.search(query, start=since, end=until, limit=LIMIT)
        return len(answer.lines) or len(answer.series)

    def _traces(self, query: str, since: float, until: float) -> int:
        params: dict[str, str | int | float] = {**search_of(query)}
        params |= {"start": int(since * 1e6), "end": int(until * 1e6), "limit": LIMIT}
        return len(self._jaeger.get("/api/traces", params).get("data") or ())

    def _traceql(self, query: str, since: float, until: float) -> int | None:
        if self._tempo is None:
            return None
        params: dict[str, str | int | float] = {"q": query, "start": int(since), "end": int(until) + 1}
        return len(self._tempo.get("/api/search", params).get("traces") or ())


def paced_logql(query: str, pace: str) -> str:
    """A LogQL query at `pace`: its ranges, and nothing inside its texts."""

    def scaled(found: re.Match[str]) -> str:
        return f"[{pace_duration(found['range'], pace)}]" if found["range"] else found[0]

    return _RANGE.sub(scaled, query)


def search_of(query: str) -> dict[str, str]:
    """A line `service=fds operation="fds.evaluate" tags={"error":"true"}` as Jaeger's parameters.

    Raises CheckFailed for a word that is not of this form.
    """
    words = query.replace("\n", " ")
    tags = re.search(r"\btags=(\{.*?\})", words)
    found = {"tags": json.dumps(_tags(tags[1]))} if tags else {}
    for word in shlex.split(words[: tags.start()] + words[tags.end() :] if tags else words):
        name, _, value = word.partition("=")
        if name not in _TRACES or not value:
            raise CheckFailed(
                "the search for traces cannot be read", f"{word!r} is none of {sorted(_TRACES)}"
            )
        found[name] = value
    if "service" not in found:
        raise CheckFailed("the search for traces cannot be read", "it names no service")
    return found


def _tags(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise CheckFailed("the search for traces cannot be read", f"tags: {error}") from None
