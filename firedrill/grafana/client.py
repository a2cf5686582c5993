"""Grafana's HTTP API, as far as its provisioned files show in it."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from firedrill.clients import Backend, Refused, Unreachable

# A plugin of the browser has no backend that could be asked, and some backends know no check.
NO_HEALTH = {404: "", 405: "", 501: "", 503: "Plugin unavailable"}


@dataclass(frozen=True)
class Health:
    """What a datasource says of itself: `ok` is None when its plugin lives in the browser and cannot say."""

    ok: bool | None
    message: str


@dataclass(frozen=True)
class Answer:
    """What came back for the queries of one panel: values per refId, and the errors by refId."""

    values: Mapping[str, int]
    errors: Mapping[str, str]

    @property
    def total(self) -> int:
        """All values of all queries."""
        return sum(self.values.values())


class Grafana(Backend):
    """One Grafana, asked as its administrator; methods raise Unreachable and Refused."""

    def __init__(self, base_url: str, *, http: httpx.Client, user: str, password: str) -> None:
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        super().__init__("Grafana", base_url, http=http, headers={"Authorization": f"Basic {credentials}"})

    def version(self) -> str:
        """The release, for example "10.1.0"."""
        return str(self.get("/api/health")["version"])

    def datasources(self) -> dict[str, dict[str, Any]]:
        """All datasources by uid."""
        return {one["uid"]: one for one in self.get("/api/datasources")}

    def health(self, uid: str) -> Health:
        """Whether the datasource reaches its backend, in its plugin's own words."""
        try:
            answer = self.get(f"/api/datasources/uid/{uid}/health")
        except Refused as refusal:
            silent = refusal.status in NO_HEALTH and NO_HEALTH[refusal.status] in refusal.why
            return Health(None if silent else False, refusal.why)
        return Health(answer.get("status") == "OK", str(answer.get("message", "")))

    def through(self, uid: str, path: str) -> Any:
        """GET `path` of the datasource's backend, through Grafana's proxy, as the browser's plugins ask."""
        return self.get(f"/api/datasources/proxy/uid/{uid}{path}")

    def dashboards(self) -> dict[str, str]:
        """The folder's title by the uid of each dashboard; empty for one that lies in no folder."""
        found = self.get("/api/search", {"type": "dash-db", "limit": 1000})
        return {one["uid"]: one.get("folderTitle", "") for one in found}

    def dashboard(self, uid: str) -> dict[str, Any]:
        """The dashboard as Grafana has stored it."""
        return dict(self.get(f"/api/dashboards/uid/{uid}")["dashboard"])

    def rules(self) -> list[dict[str, Any]]:
        """The alert rules as provisioned."""
        return list(self.get("/api/v1/provisioning/alert-rules"))

    def rule(self, uid: str) -> dict[str, Any]:
        """One alert rule, with where it comes from, which the list of 10.1 does not tell."""
        return dict(self.get(f"/api/v1/provisioning/alert-rules/{uid}"))

    def evaluated(self) -> dict[str, dict[str, Any]]:
        """State, health and last evaluation by the name of each of Grafana's own rules."""
        groups = self.get("/api/prometheus/grafana/api/v1/rules")["data"]["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}

    def contact_points(self) -> list[dict[str, Any]]:
        """The contact points."""
        return list(self.get("/api/v1/provisioning/contact-points"))

    def policy(self) -> dict[str, Any]:
        """The tree of notification policies."""
        return dict(self.get("/api/v1/provisioning/policies"))

    def query(self, queries: Sequence[Mapping[str, Any]], *, start: str, end: str = "now") -> Answer:
        """Run queries as a panel does; `start` and `end` are Grafana's times, such as now-15m."""
        try:
            sent = self._http.post(
                self.base_url + "/api/ds/query",
                json={"queries": list(queries), "from": start, "to": end},
                headers=self._headers,
            )
            body = sent.json()
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable("Grafana does not answer a query", str(error), "see its log") from error
        results = body.get("results", {})
        if not results:
            raise Refused(
                "Grafana refused the query", str(body.get("message", body)), status=sent.status_code
            )
        errors = {ref: str(one["error"]) for ref, one in results.items() if one.get("error")}
        return Answer({ref: _values(one.get("frames") or []) for ref, one in results.items()}, errors)


def _values(frames: Sequence[Mapping[str, Any]]) -> int:
    """How many values that are not null the frames hold, the fields of time left out."""
    count = 0
    for frame in frames:
        fields, columns = frame["schema"]["fields"], frame["data"]["values"]
        for declared, column in zip(fields, columns, strict=False):
            if declared["type"] != "time":
                count += sum(value is not None for value in column)
    return count
