"""Loki: log lines, series over lines, and the values of labels."""

from typing import Any

from console.sources.http import Params, Source
from firedrill.clients.loki import CATEGORIES, LogAnswer, LogLine, log_answer_of

__all__ = ["LogAnswer", "LogLine", "LokiSource"]

NOW_TTL = 2.0
SLOW_TTL = 10.0


class LokiSource(Source):
    """The HTTP API of Loki; `ttl` says for how many seconds viewers share an answer."""

    async def search(
        self,
        logql: str,
        *,
        start: float,
        end: float,
        limit: int = 100,
        newest: bool = True,
        step: float | None = None,
        ttl: float = NOW_TTL,
    ) -> LogAnswer:
        """At most `limit` lines between two unix seconds, oldest first; a metric query gives series.

        Of more lines, the newest are given, or with newest=False the oldest.
        """
        params: dict[str, str | int | float] = {
            "query": logql,
            "start": int(start * 1e9),
            "end": int(end * 1e9),
            "limit": limit,
            "direction": "backward" if newest else "forward",
        }
        if step is not None:
            params["step"] = step
        return log_answer_of(await self._get("/loki/api/v1/query_range", params, ttl))

    async def label_values(self, label: str, *, start: float, end: float) -> tuple[str, ...]:
        """The values that an index label had between two unix seconds, sorted."""
        params: Params = {"start": int(start * 1e9), "end": int(end * 1e9)}
        body = await self._get(f"/loki/api/v1/label/{label}/values", params, SLOW_TTL)
        return tuple(sorted(body.get("data") or ()))

    async def _get(self, path: str, params: Params, ttl: float) -> Any:
        key = (path, *sorted(params.items()))
        return await self.shared.get(key, ttl, lambda: self.ask.get(path, params, headers=CATEGORIES))
