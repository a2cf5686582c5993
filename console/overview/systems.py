"""Systems and their services: health, request rate, P95, errors, budget; from Prometheus's answers."""

import asyncio
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from console.sandbox.secret import is_hidden
from console.sources import PrometheusSource
from firedrill.clients.prometheus import Answer
from firedrill.errors import TopologyError
from firedrill.slo import read_objectives

# The same counters under two names: the shop's has one of its own.
REQUESTS = "rate(http_requests_total[{w}]) or rate(ecommerce_http_requests_total[{w}])"
FAILED = (
    'rate(http_requests_total{{status=~"5.."}}[{w}]) or '
    'rate(ecommerce_http_requests_total{{status_code=~"5.."}}[{w}])'
)
SECONDS = (
    "rate(http_request_duration_seconds_bucket[{w}]) or "
    "rate(ecommerce_http_request_duration_seconds_bucket[{w}])"
)
TTL = 3.0
# A budget below a quarter is worth a look; below nothing the promise is broken.
SCARCE = 0.25


@dataclass(frozen=True)
class Service:
    """One target; `rate` in requests a second, `slowest` is P95 in seconds, shares from 0 to 1."""

    system: str
    name: str
    up: bool
    rate: float | None = None
    slowest: float | None = None
    errors: float | None = None
    budgets: tuple[tuple[str, float], ...] = ()

    @property
    def serves(self) -> bool:
        """Whether it counts requests: a service, and not a component of the stack."""
        return self.rate is not None

    @property
    def budget(self) -> float | None:
        """The least that is left of one of its objectives' error budgets."""
        return min((left for _, left in self.budgets), default=None)


@dataclass(frozen=True)
class FaultIn:
    """A fault that is set."""

    service: str
    name: str
    system: str


async def services(
    prometheus: PrometheusSource, window: float, objectives: Mapping[str, str]
) -> list[Service]:
    """Every target with what is known of it, over `window` seconds; services first. Raises SourceError.

    `objectives` says whose objective each one is.
    """
    words = f"{math.ceil(window)}s"

    def ask(expr: str) -> "asyncio.Future[Answer]":
        return asyncio.ensure_future(prometheus.query(expr, ttl=TTL))

    asked = await asyncio.gather(
        ask("max by (system, instance) (up)"),
        ask(f"sum by (system, instance) ({REQUESTS.format(w=words)})"),
        ask(f"sum by (system, instance) ({FAILED.format(w=words)})"),
        ask(f"histogram_quantile(0.95, sum by (system, instance, le) ({SECONDS.format(w=words)}))"),
        ask("slo:error_budget_remaining:ratio30d"),
    )
    return of_answers(*asked, objectives=objectives)


def of_answers(
    up: Answer,
    rates: Answer,
    failed: Answer,
    slowest: Answer,
    budgets: Answer,
    *,
    objectives: Mapping[str, str],
) -> list[Service]:
    """The services that these answers speak of."""
    rate, bad, slow = _values(rates), _values(failed), _values(slowest)
    left: dict[str, list[tuple[str, float]]] = {}
    for one in budgets.series:
        if math.isfinite(one.points[-1][1]):
            name = one.labels.get("slo", "")
            left.setdefault(objectives.get(name, ""), []).append((name, one.points[-1][1]))
    found = []
    for (system, name), value in sorted(_values(up).items()):
        key = (system, name)
        requests = rate.get(key)
        errors = bad.get(key, 0.0) / requests if requests else None
        found.append(
            Service(
                system,
                name,
                value > 0,
                requests,
                slow.get(key),
                errors,
                tuple(sorted(left.get(name, ()))),
            )
        )
    return sorted(found, key=lambda one: (one.system == "platform", one.system, one.name))


async def faults_in(prometheus: PrometheusSource) -> list[FaultIn]:
    """The faults that are set now. Raises SourceError."""
    answer = await prometheus.query("fault_active == 1", ttl=TTL)
    found = [
        FaultIn(one.labels.get("instance", ""), one.labels.get("fault", ""), one.labels.get("system", ""))
        for one in answer.series
        if not is_hidden(one.labels.get("instance", ""), one.labels.get("fault", ""))
    ]
    return sorted(found, key=lambda one: (one.service, one.name))


def summary(targets: Sequence[Service], firing: int, faults: int) -> tuple[str, str]:
    """One sentence on how things stand, and whether it is good, warn or bad."""
    down = [one.name for one in targets if not one.up]
    parts = []
    if firing:
        parts.append(f"{firing} alert{'s' if firing > 1 else ''} firing")
    if down:
        parts.append(f"{', '.join(down[:4])}{' and more' if len(down) > 4 else ''} not answering")
    if faults:
        parts.append(f"{faults} fault{'s' if faults > 1 else ''} set")
    if not parts:
        return f"All quiet: all {len(targets)} targets answer, nothing fires, no fault is set", "good"
    return "; ".join(parts), "bad" if firing or down else "warn"


def owners(slices: Path) -> dict[str, str]:
    """The service of each objective, from the slices' slo.yml; those that cannot be read are left out."""
    found: dict[str, str] = {}
    for file in slices.glob("*/slo.yml"):
        with suppress(TopologyError):
            found |= {one.name: one.labels["service"] for one in read_objectives(file)}
    return found


def _values(answer: Answer) -> Mapping[tuple[str, str], float]:
    return {
        (one.labels.get("system", ""), one.labels.get("instance", "")): one.points[-1][1]
        for one in answer.series
        if math.isfinite(one.points[-1][1])
    }
