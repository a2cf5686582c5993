"""The backends of a running stack as Grafana's datasources: how much data a query gives."""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from firedrill.clients import Backend, Loki, Prometheus, Series
from firedrill.clients.http import Params
from firedrill.dashboards.live import Ask, Variable

WINDOW_SECONDS = 300.0
"""What is older says nothing of now."""
STEP_SECONDS = 15.0
_LIMIT = 20


class Unknown(Exception):
    """Nobody here knows how to ask this datasource."""


class Answers(Protocol):
    """What gives data."""

    def count(self, ask: Ask, *, seconds: float = WINDOW_SECONDS) -> int | None:
        """How many values, lines or traces of the last `seconds`; None where the backend does not run."""

    def values(self, variable: Variable) -> Sequence[str] | None:
        """The values of a variable now; None where the backend does not run."""


class Sources:
    """The started backends by datasource; None is not started. Methods raise BackendError and Unknown."""

    def __init__(
        self,
        *,
        prometheus: Prometheus | None,
        loki: Loki | None,
        tempo: Backend | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._prometheus, self._loki, self._tempo, self._clock = prometheus, loki, tempo, clock

    def count(self, ask: Ask, *, seconds: float = WINDOW_SECONDS) -> int | None:
        """As Answers.count; a value that is no number, as of 0/0, is none."""
        end = self._clock()
        begin = end - seconds
        if ask.datasource == "prometheus":
            return None if self._prometheus is None else self._metrics(self._prometheus, ask, begin, end)
        if ask.datasource == "loki":
            if self._loki is None:
                return None
            answer = self._loki.search(ask.text, start=begin, end=end + 1, limit=_LIMIT)
            return len(answer.lines) or _numbers(answer.series)
        if ask.datasource == "tempo":
            if self._tempo is None:
                return None
            params: Params = {"q": ask.text, "start": int(begin), "end": int(end) + 1, "limit": _LIMIT}
            return len(self._tempo.get("/api/search", params).get("traces") or ())
        raise Unknown(f"nobody knows how to ask the datasource {ask.datasource!r}: add it to {__name__}")

    def values(self, variable: Variable) -> Sequence[str] | None:
        """As Answers.values, asked as Grafana's pages ask for them."""
        end = self._clock()
        begin = end - WINDOW_SECONDS
        if variable.datasource == "loki":
            if self._loki is None:
                return None
            times: Params = {"start": int(begin * 1e9), "end": int(end * 1e9)}
            answer = self._loki.get(f"/loki/api/v1/label/{variable.label}/values", times)
        elif self._prometheus is None:
            return None
        else:
            params: Params = {"match[]": variable.metric, "start": begin, "end": end}
            answer = self._prometheus.get(f"/api/v1/label/{variable.label}/values", params)
        return [str(one) for one in answer.get("data") or ()]

    @staticmethod
    def _metrics(prometheus: Prometheus, ask: Ask, begin: float, end: float) -> int:
        if ask.instant:
            return _numbers(prometheus.query(ask.text, at=end).series)
        return _numbers(prometheus.query_range(ask.text, start=begin, end=end, step=STEP_SECONDS).series)


def _numbers(found: Iterable[Series]) -> int:
    return sum(not math.isnan(value) for one in found for _, value in one.points)
