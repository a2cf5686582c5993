"""Alertmanager: whether it runs, and which alerts it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import httpx

from firedrill.clients.http import Backend
from firedrill.untold import Told, ended


@dataclass(frozen=True)
class HeldAlert:
    """An alert that Alertmanager holds; `state` is active, suppressed or unprocessed."""

    labels: Mapping[str, str]
    state: str
    receivers: tuple[str, ...]


class Alertmanager(Backend):
    """The HTTP API of Alertmanager."""

    def __init__(self, base_url: str, *, http: httpx.Client) -> None:
        super().__init__("Alertmanager", base_url, http=http)

    def version(self) -> str:
        """Its version; an answer means that its configuration was loaded."""
        return str(self.get("/api/v2/status")["versionInfo"]["version"])

    def alerts(self) -> tuple[HeldAlert, ...]:
        """Every alert that it holds."""
        return tuple(
            HeldAlert(
                one["labels"],
                one["status"]["state"],
                tuple(receiver["name"] for receiver in one["receivers"]),
            )
            for one in self.get("/api/v2/alerts")
        )

    def end(self, found: Sequence[Told], *, now: float) -> None:
        """Tell it that these alerts have ended, at `now` (unix seconds), so that it tells so."""
        self.post("/api/v2/alerts", ended(found, now))
