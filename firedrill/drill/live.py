"""The running stack as a drill sees it: Prometheus, Alertmanager, inbox, fault routes and traffic."""

import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import httpx
import yaml

from firedrill.clients import Alertmanager, Backend, Prometheus, open_http
from firedrill.clients.prometheus import unix_seconds
from firedrill.errors import CheckFailed
from firedrill.pace import format_duration, seconds

from .breaking import Breakable, LiveFaults
from .evidence import LiveEvidence
from .model import Drill
from .ports import ActiveAlert, LoadedRule, Message, Pulse, Surroundings
from .recorded import grown
from .traffic import LiveTraffic

_ROUTE_DEFAULTS = {"group_wait": "30s", "group_interval": "5m"}  # Alertmanager's own


_BACKENDS = ("prometheus", "loki", "jaeger", "tempo")


class RunningStack(Breakable, Protocol):
    """The part of firedrill.stack.Stack that drills use."""

    @property
    def runtime(self) -> str: ...
    @property
    def pace(self) -> str: ...


def surroundings(stack: RunningStack, http: httpx.Client | None = None) -> Surroundings:
    """Everything that a drill needs, of the running stack. Raises EnvironmentProblem without FAULTS_TOKEN."""
    client = http or open_http()
    backends = {name: stack.url(name) for name in _BACKENDS if name in stack.started}
    return Surroundings(
        metrics=LiveMetrics(stack.url("prometheus"), http=client),
        notifier=LiveNotifier(stack.url("alertmanager"), http=client),
        inbox=LiveInbox(stack.url("inbox"), http=client),
        faults=LiveFaults(stack, http=client),
        traffic=LiveTraffic(stack.url),
        clock=WallClock(),
        heartbeat=LiveHeartbeat(stack.url("inbox"), http=client),
        evidence=LiveEvidence(backends, pace=stack.pace, http=client),
    )


class WallClock:
    """The machine's clock."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    def pause(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)


class LiveMetrics:
    """Prometheus's HTTP API."""

    def __init__(self, base_url: str, *, http: httpx.Client) -> None:
        self._prometheus = Prometheus(base_url, http=http)

    def active(self) -> Sequence[ActiveAlert]:
        """Every pending and firing alert."""
        alerts = self._prometheus.get("/api/v1/alerts")["data"]["alerts"]
        return [
            ActiveAlert(
                one["labels"].get("alertname", ""), one["labels"], one["state"], unix_seconds(one["activeAt"])
            )
            for one in alerts
        ]

    def value(self, promql: str) -> float | None:
        """The sum of an instant query's samples, None when there is none."""
        return self._prometheus.query(promql).total()

    def rule(self, drill: Drill) -> LoadedRule:
        """The loaded rule of the drill's alert, with all rules of its slice. Raises CheckFailed."""
        groups, group, rule = self._find(drill)
        folder = Path(group["file"]).parent
        siblings = [one for one in groups if Path(one["file"]).parent == folder]
        text = yaml.safe_dump({"groups": [_group(one) for one in siblings]}, width=10_000)
        return LoadedRule(rule["query"], float(rule["duration"]), float(group["interval"]), text)

    def evaluated_at(self, drill: Drill) -> float:
        """Unix seconds of the last evaluation of the drill's rule."""
        return unix_seconds(self._find(drill)[2]["lastEvaluation"])

    def resend_seconds(self) -> float:
        """For how long Prometheus does not repeat an alert to Alertmanager."""
        flags = self._prometheus.get("/api/v1/status/flags")["data"]
        return seconds(str(flags["rules.alert.resend-delay"]))

    def fired_besides(self, alert: ActiveAlert, *, seconds: float) -> int:
        """As Metrics.fired_besides."""
        group = {name: alert.labels.get(name, "") for name in ("system", "service")}
        wanted = ",".join(matchers({"alertname": alert.name, "alertstate": "firing", **group}))
        found = self._prometheus.query(f"count_over_time(ALERTS{{{wanted}}}[{seconds:.0f}s])").series
        states = {"__name__", "alertstate"}
        return sum({k: v for k, v in one.labels.items() if k not in states} != alert.labels for one in found)

    def course(self, selector: str, *, end: float, step: float, count: int) -> Sequence[float | None]:
        """As Metrics.course."""
        # Raw samples: query_range would go on with the last one for five minutes after a stop.
        window = math.ceil((step * count) * 1000)
        found = self._prometheus.query(f"{selector}[{window}ms]", at=end)
        return grown([one.points for one in found.series], end=end, step=step, count=count)

    def _find(self, drill: Drill) -> tuple[Any, Any, Any]:
        """All groups, the drill's group and its rule."""
        groups = self._prometheus.get("/api/v1/rules")["data"]["groups"]
        for group in groups:
            for rule in group["rules"]:
                labels = rule.get("labels") or {}
                same = all(labels.get(name) == value for name, value in drill.labels.items())
                if rule["type"] == "alerting" and rule["name"] == drill.alert and same:
                    return groups, group, rule
        raise CheckFailed(
            f"Prometheus has no rule {drill.alert} with the labels of {drill.slice}'s alerts.yml",
            "it runs other rules than those of this checkout",
            "firedrill down, then firedrill up",
        )

    def scrape_seconds(self) -> float:
        """Seconds between two scrapes, of the running configuration."""
        config = yaml.safe_load(self._prometheus.get("/api/v1/status/config")["data"]["yaml"])
        return seconds(str(config["global"]["scrape_interval"]))


def _group(group: Mapping[str, Any]) -> dict[str, object]:
    """A loaded group as one of a rule file."""
    return {
        "name": f"{Path(group['file']).stem} {group['name']}",
        "interval": _duration(group["interval"]),
        "rules": [_rule(rule) for rule in group["rules"]],
    }


def _rule(rule: Mapping[str, Any]) -> dict[str, object]:
    found: dict[str, object] = {"expr": rule["query"], "labels": rule.get("labels") or {}}
    if rule["type"] == "recording":
        return {"record": rule["name"], **found}
    times = {"for": rule["duration"], "keep_firing_for": rule.get("keepFiringFor") or 0}
    return {"alert": rule["name"], **found, **{name: _duration(value) for name, value in times.items()}}


def _duration(value: float) -> str:
    return format_duration(round(float(value) * 1000))


def matchers(labels: Mapping[str, str]) -> list[str]:
    """One for each label, as Prometheus and Alertmanager write them."""
    return [f"{name}={json.dumps(value)}" for name, value in labels.items()]


class LiveNotifier(Alertmanager):
    """Alertmanager's HTTP API."""

    def group_times(self, labels: Mapping[str, str]) -> tuple[float, float]:
        """group_wait and group_interval, in seconds, of the route that an alert with `labels` takes."""
        config = yaml.safe_load(self.get("/api/v2/status")["config"]["original"])
        times = route_times(config["route"], labels)
        return seconds(times["group_wait"]), seconds(times["group_interval"])

    def held(self, labels: Mapping[str, str]) -> str:
        """As Notifier.held."""
        found = self.get("/api/v2/alerts", {"filter": matchers(labels)})
        told = [
            f"has it since {one['startsAt'][11:19]} UTC, {one['status']['state']}"
            + (", inhibited" if one["status"]["inhibitedBy"] else "")
            + (", silenced" if one["status"]["silencedBy"] else "")
            for one in found
        ]
        return "; ".join(told) or "holds no such alert"


def route_times(route: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, str]:
    """The group times of the first route of the tree that takes `labels`, inherited from its parents.

    Raises CheckFailed for a matcher in a form that is not known here.
    """
    times = {name: str(route.get(name, default)) for name, default in _ROUTE_DEFAULTS.items()}
    for child in route.get("routes") or ():
        if all(_matches(str(one), labels) for one in child.get("matchers") or ()):
            return route_times({**times, **child}, labels)
    return times


def _matches(matcher: str, labels: Mapping[str, str]) -> bool:
    found = re.fullmatch(r'\s*(\w+)\s*(=~|!~|!=|=)\s*"?([^"]*)"?\s*', matcher)
    if not found:
        raise CheckFailed(
            f"the matcher {matcher!r} cannot be read", 'it is not like name="value"', "write it so"
        )
    name, operator, value = found.groups()
    is_there = labels.get(name, "")
    equal = bool(re.fullmatch(value, is_there)) if "~" in operator else is_there == value
    return equal != operator.startswith("!")


class LiveInbox(Backend):
    """The inbox's JSON API."""

    def __init__(self, base_url: str, *, http: httpx.Client) -> None:
        super().__init__("the inbox", base_url, http=http)

    def messages(self, *, since: float, alertname: str = "") -> Sequence[Message]:
        """As Inbox.messages, newest first."""
        wanted = {"alertname": alertname} if alertname else {}
        found = self.get("/api/v1/messages", {"since": since, "limit": 1000, **wanted})["messages"]
        return [
            Message(
                kind=one["kind"],
                receiver=one["receiver"],
                channel=str(one["channel"] or "").removeprefix("#"),
                received_at=float(one["received_at"]),
                status=one["status"],
                alertname=one["alertname"] or "",
                labels=one["labels"],
                title=one.get("title") or "",
            )
            for one in found
        ]


class LiveHeartbeat(Backend):
    """The inbox's ear for the Watchdog."""

    def __init__(self, base_url: str, *, http: httpx.Client) -> None:
        super().__init__("the inbox", base_url, http=http)

    def pulse(self) -> Pulse:
        """How it is now."""
        found = self.get("/api/heartbeat")
        last = found["last_at"]
        return Pulse(
            bool(found["alive"]), None if last is None else float(last), float(found["limit_seconds"])
        )
