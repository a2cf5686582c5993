"""The inbox: the notifications that arrived."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.sources.http import Source

NOW_TTL = 2.0


@dataclass(frozen=True)
class Notice:
    """One notification; `kind` is slack, pagerduty, email, webhook or sentry, `status` firing, resolved or
    unknown; `at` in unix seconds; `links` are (label, address); `alerts` as the inbox shows them."""

    id: int
    at: float
    kind: str
    receiver: str
    channel: str
    status: str
    severity: str
    title: str
    text: str
    alertnames: tuple[str, ...]
    labels: Mapping[str, str]
    links: tuple[tuple[str, str], ...]
    alerts: tuple[Mapping[str, Any], ...]


class InboxSource(Source):
    """The inbox's own API."""

    async def messages(
        self,
        *,
        limit: int = 100,
        since: float | None = None,
        kind: str = "",
        status: str = "",
        alert: str = "",
    ) -> tuple[int, tuple[Notice, ...]]:
        """How many are kept, and those that match, newest first; `since` in unix seconds, exclusive."""
        asked = {"kind": kind, "status": status, "alertname": alert}
        params: dict[str, str | int | float] = {name: value for name, value in asked.items() if value}
        params["limit"] = limit
        if since is not None:
            params["since"] = since
        key = ("messages", *sorted(params.items()))
        body = await self.shared.get(key, NOW_TTL, lambda: self.ask.get("/api/v1/messages", params))
        return int(body["total"]), tuple(_notice(one) for one in body["messages"])

    async def raw(self, message_id: int) -> Any:
        """What was sent, as it came."""
        return (await self.ask.get(f"/api/v1/messages/{message_id}"))["raw"]


def _notice(one: Any) -> Notice:
    return Notice(
        int(one["id"]),
        float(one["received_at"]),
        one["kind"],
        one["receiver"],
        one["channel"],
        one["status"],
        one["severity"],
        one["title"],
        one["text"],
        tuple(one["alertnames"]),
        one["labels"],
        tuple((link["label"], link["url"]) for link in one["links"]),
        tuple(one["alerts"]),
    )
