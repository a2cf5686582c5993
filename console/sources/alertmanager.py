"""Alertmanager: the alerts that it holds, and silences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from console.sources.http import Source
from firedrill.untold import Told, ended

NOW_TTL = 2.0


@dataclass(frozen=True)
class HeldAlert:
    """An alert that Alertmanager holds; `state` is active, suppressed or unprocessed; times unix seconds."""

    fingerprint: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    since: float
    updated: float
    receivers: tuple[str, ...]
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    generator_url: str


@dataclass(frozen=True)
class Silence:
    """A silence; `state` is active, pending or expired; matchers as `label="value"`; times unix seconds."""

    id: str
    state: str
    matchers: tuple[str, ...]
    starts: float
    ends: float
    by: str
    comment: str


class AlertmanagerSource(Source):
    """The HTTP API of Alertmanager."""

    async def alerts(self) -> tuple[HeldAlert, ...]:
        """Every alert that it holds."""
        body = await self.shared.get("alerts", NOW_TTL, lambda: self.ask.get("/api/v2/alerts"))
        return tuple(_held(one) for one in body)

    async def silences(self) -> tuple[Silence, ...]:
        """Every silence, those that are over included."""
        body = await self.shared.get("silences", NOW_TTL, lambda: self.ask.get("/api/v2/silences"))
        return tuple(_silence(one) for one in body)

    async def silence(
        self, equal: Mapping[str, str], *, starts: float, ends: float, by: str, comment: str
    ) -> str:
        """Silence what has all these labels between two unix seconds; gives the silence's id."""
        matchers: Sequence[Mapping[str, object]] = [
            {"name": name, "value": value, "isRegex": False, "isEqual": True} for name, value in equal.items()
        ]
        wanted = {
            "matchers": matchers,
            "startsAt": _time(starts),
            "endsAt": _time(ends),
            "createdBy": by,
            "comment": comment,
        }
        answer = await self.ask.send("POST", "/api/v2/silences", body=wanted)
        self.shared.clear()
        return str(answer["silenceID"])

    async def expire(self, silence_id: str) -> None:
        """End a silence now."""
        await self.ask.send("DELETE", f"/api/v2/silence/{silence_id}")
        self.shared.clear()

    async def end(self, found: Sequence[Told], *, now: float) -> None:
        """Tell it that these alerts have ended, at `now` (unix seconds), so that it tells so."""
        await self.ask.send("POST", "/api/v2/alerts", body=ended(found, now))


def _held(one: Any) -> HeldAlert:
    status = one["status"]
    return HeldAlert(
        one["fingerprint"],
        one["labels"],
        one["annotations"],
        status["state"],
        _unix(one["startsAt"]),
        _unix(one["updatedAt"]),
        tuple(receiver["name"] for receiver in one["receivers"]),
        tuple(status["silencedBy"]),
        tuple(status["inhibitedBy"]),
        one.get("generatorURL", ""),
    )


def _silence(one: Any) -> Silence:
    return Silence(
        one["id"],
        one["status"]["state"],
        tuple(_matcher(matcher) for matcher in one["matchers"]),
        _unix(one["startsAt"]),
        _unix(one["endsAt"]),
        one["createdBy"],
        one["comment"],
    )


def _matcher(one: Any) -> str:
    equal = "=" if one.get("isEqual", True) else "!"
    sign = f"{equal}~" if one["isRegex"] else equal.replace("!", "!=")
    return f'{one["name"]}{sign}"{one["value"]}"'


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _unix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
