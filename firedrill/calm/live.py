"""The running stack as a watch for false alarms asks it: Prometheus and the inbox."""

from collections.abc import Sequence
from typing import Protocol

import httpx

from firedrill.clients import Backend, Prometheus
from firedrill.clients.prometheus import Answer, unix_seconds

from .closeness import Course as Values
from .closeness import closest
from .model import Course, Findings, Rule, Sent

REQUESTS = '{__name__=~"http_requests_total|ecommerce_http_requests_total"}'
HEARTBEAT = 'ALERTS{severity="none", alertstate="firing"}'
MOMENTS = 2000  # at most so many of a window are looked at for how near a rule came


class RunningStack(Protocol):
    """The part of firedrill.stack.Stack that is needed."""

    @property
    def pace(self) -> str: ...
    @property
    def started(self) -> frozenset[str]: ...
    def url(self, service: str, container_port: int | None = None) -> str: ...


class LiveStack:
    """Asks the backends. Its methods raise BackendError."""

    def __init__(self, stack: RunningStack, *, http: httpx.Client) -> None:
        self._pace = stack.pace
        self._prometheus = Prometheus(stack.url("prometheus"), http=http)
        self._inbox = Backend("the inbox", stack.url("inbox"), http=http)

    def active(self) -> frozenset[str]:
        """The alerts that fire now, or are about to, heartbeats left out; with their state."""
        alerts = self._prometheus.get("/api/v1/alerts")["data"]["alerts"]
        return frozenset(
            f"{one['labels'].get('alertname', '')} ({one['state']})"
            for one in alerts
            if one["labels"].get("severity") != "none"
        )

    def faults(self) -> frozenset[str]:
        """What is broken now, as service/fault."""
        return _faults(self._prometheus.query("fault_active > 0"))

    def rules(self) -> tuple[Rule, ...]:
        """Every alert but the heartbeats."""
        groups = self._prometheus.get("/api/v1/rules", {"type": "alert"})["data"]["groups"]
        return tuple(
            Rule(
                name=rule["name"],
                system=rule["labels"].get("system", ""),
                expression=rule["query"],
                for_seconds=float(rule["duration"]),
                evaluation_seconds=float(group["interval"]),
            )
            for group in groups
            for rule in group["rules"]
            if rule["labels"].get("severity") != "none"
        )

    def up_since(self) -> float:
        """Unix second of Prometheus's last start; what its data hold is older, and of another run."""
        return unix_seconds(self._prometheus.get("/api/v1/status/runtimeinfo")["data"]["startTime"])

    def evaluated_from(self, began: float, ended: float) -> float:
        """The first unix second after `began` at which rules were evaluated; `ended` when they were not."""
        step = max(1.0, (ended - began) / MOMENTS)
        found = self._prometheus.query_range(HEARTBEAT, start=began, end=ended, step=step).series
        return min((one.points[0][0] for one in found), default=ended)

    def findings(self, began: float, ended: float) -> Findings:
        """What happened between two unix seconds."""
        rules = self.rules()
        evaluation = min((one.evaluation_seconds for one in rules), default=1.0)
        seconds = max(evaluation, ended - began)
        window = f"[{seconds * 1000:.0f}ms]"
        beats = self._at(f"max(count_over_time({HEARTBEAT}{window}))", ended).total() or 0.0
        return Findings(
            began=began,
            seconds=seconds,
            pace=self._pace,
            courses=self._courses(rules, began, ended, window),
            messages=tuple(self._messages(began)),
            faults=tuple(sorted(_faults(self._at(f"max_over_time(fault_active{window}) > 0", ended)))),
            before=self._states(began),
            heartbeats=beats * evaluation / seconds,
            requests=(self._at(f"sum(increase({REQUESTS}{window}))", ended).total() or 0.0) / seconds,
        )

    def _courses(self, rules: Sequence[Rule], began: float, ended: float, window: str) -> tuple[Course, ...]:
        step = max(1.0, *(one.evaluation_seconds for one in rules), (ended - began) / MOMENTS)
        asked: dict[str, Values] = {}

        def ask(promql: str) -> Values:
            if promql not in asked:
                asked[promql] = _values(
                    self._prometheus.query_range(promql, start=began, end=ended, step=step)
                )
            return asked[promql]

        fired = self._by_alert(f'count_over_time(ALERTS{{alertstate="firing"}}{window})', ended)
        held = self._by_alert(
            f"max_over_time((time() - ALERTS_FOR_STATE){window[:-1]}:{step * 1000:.0f}ms])", ended
        )
        return tuple(
            Course(
                rule=rule,
                fired=(rule.name, rule.system) in fired,
                held_seconds=held.get((rule.name, rule.system), 0.0),
                closest=closest(rule.expression, ask),
            )
            for rule in rules
        )

    def _by_alert(self, promql: str, at: float) -> dict[tuple[str, str], float]:
        found = self._at(f"max by (alertname, system) ({promql})", at)
        return {
            (one.labels["alertname"], one.labels.get("system", "")): one.points[-1][1] for one in found.series
        }

    def _messages(self, since: float) -> list[Sent]:
        found = self._inbox.get("/api/v1/messages", {"since": since, "limit": 1000})["messages"]
        return [
            Sent(one["alertname"] or one.get("title") or "", one["receiver"], one["kind"])
            for one in found
            if one["status"] == "firing" and one["labels"].get("severity") != "none"
        ]

    def _states(self, at: float) -> tuple[str, ...]:
        found = self._at('ALERTS{severity!="none"}', at)
        return tuple(
            sorted({f"{one.labels['alertname']} ({one.labels['alertstate']})" for one in found.series})
        )

    def _at(self, promql: str, at: float) -> Answer:
        return self._prometheus.query(promql, at=at)


def _faults(answer: Answer) -> frozenset[str]:
    return frozenset(
        f"{one.labels.get('instance', '')}/{one.labels.get('fault', '')}" for one in answer.series
    )


def _values(answer: Answer) -> Values:
    return {
        frozenset((name, value) for name, value in one.labels.items() if name != "__name__"): dict(one.points)
        for one in answer.series
    }
