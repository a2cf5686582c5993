"""Reads the document from the backends of a running stack, whichever runtime runs it."""

import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from firedrill.clients import Jaeger, Loki, Prometheus
from firedrill.clients.http import Params
from firedrill.parity.document import Document
from firedrill.verify.seams import RunningStack
from firedrill.wait import TimedOut, poll_until

# Long enough for everything that background traffic and verify do to have happened.
WINDOW_SECONDS = 900.0
LINES, TRACES = 2000, 200
PLATFORM = "platform"
_NOT_OF_A_TARGET = {"__name__", "job", "instance", "system"}
# Ports may be moved, and dashboards be Grafana's or the console's.
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")
# Asked by drills and by people, when they like.
_SWITCH = " /faults"
# What a span has because something failed.
_OF_FAILURES = {"error", "error.type", "otel.status_code", "otel.status_description"}


def read(stack: RunningStack, *, http: httpx.Client, window_seconds: float = WINDOW_SECONDS) -> Document:
    """What the stack offers, from the last `window_seconds`. Raises BackendError for one that is away."""
    end = time.time()
    prometheus = Prometheus(stack.url("prometheus"), http=http)
    loki, jaeger = Loki(stack.url("loki"), http=http), Jaeger(stack.url("jaeger"), http=http)
    services = sorted(path.parent.name for path in (stack.root / "services").glob("*/app.py"))
    traces = {
        name: _traces(jaeger, name, end - window_seconds, end) for name in services if name in stack.started
    }
    return {
        "about": {"runtime": stack.runtime, "pace": stack.pace, "started": sorted(stack.started)},
        "targets": targets(prometheus),
        "rules": rules(prometheus),
        "metrics": metrics(prometheus, _platform_series(stack.root), start=end - window_seconds, end=end),
        "logs": logs(loki, services, start=end - window_seconds, end=end),
        "spans": {name: spans(found, name) for name, found in traces.items()},
        "resources": {name: resources(found, name) for name, found in traces.items()},
    }


def settle(stack: RunningStack, *, http: httpx.Client, deadline_seconds: float) -> None:
    """Wait until every target is up; of one that is not at the deadline the document tells."""
    prometheus = Prometheus(stack.url("prometheus"), http=http)

    def all_up() -> bool:
        found = prometheus.targets()
        return bool(found) and all(one.health == "up" for one in found)

    with contextlib.suppress(TimedOut):
        poll_until(all_up, "every target up", deadline_seconds)


def targets(prometheus: Prometheus) -> dict[str, Any]:
    """Targets by job and instance; addresses are the runtime's."""
    found = prometheus.get("/api/v1/targets", {"state": "active"})["data"]["activeTargets"]
    return {
        f"{one['labels']['job']}/{one['labels']['instance']}": {
            "labels": dict(one["labels"]), "health": one["health"],
        }
        for one in found
    }  # fmt: skip


def rules(prometheus: Prometheus) -> dict[str, Any]:
    """Rules by group, name and labels, for several burn rates share a name."""
    groups = prometheus.get("/api/v1/rules")["data"]["groups"]
    return {
        f"{_slice(group['file'])} {group['name']}": {
            _rule_name(rule): {
                "expression": " ".join(rule["query"].split()),
                "for": str(rule.get("duration", 0)),
                "health": rule["health"],
                "annotations": {
                    name: _ADDRESS.sub("", text) for name, text in (rule.get("annotations") or {}).items()
                },
            }
            for rule in group["rules"]
        }
        for group in groups
    }


def metrics(prometheus: Prometheus, platform: frozenset[str], *, start: float, end: float) -> dict[str, Any]:
    """Families of each job with the label names of their series.

    Of the platform's own components only those that rules and dashboards name (`platform`): the images are
    newer than the pinned modules here and there.
    """
    found: dict[str, Any] = {}
    for labels in sorted({tuple(sorted(one.labels.items())) for one in prometheus.targets()}):
        job, own = dict(labels)["job"], dict(labels).get("system") != PLATFORM
        params: Params = {"match_target": f'{{job="{job}"}}', "limit": 10000}
        families = {
            one["metric"]: {"type": one["type"]}
            for one in prometheus.get("/api/v1/targets/metadata", params)["data"]
            if own
        }
        query: Params = {"match[]": f'{{job="{job}"}}', "start": start, "end": end}
        for series in prometheus.get("/api/v1/series", query)["data"]:
            if ":" in series["__name__"] or series["__name__"].startswith("ALERTS"):
                continue  # not the target's but a rule's
            name = _family(series["__name__"], families) if own else series["__name__"]
            if own or name in platform:
                family = families.setdefault(name, {})
                family["series"] = sorted({*family.get("series", ()), *(series.keys() - _NOT_OF_A_TARGET)})
        found[job] = families
    return found


def logs(loki: Loki, services: Iterable[str], *, start: float, end: float) -> dict[str, Any]:
    """Names of labels and of structured metadata of each service's lines, and the system that they name."""
    found: dict[str, Any] = {}
    for service in services:
        lines = loki.search(f'{{service="{service}"}}', start=start, end=end, limit=LINES).lines
        if lines:
            found[service] = {
                "labels": sorted({name for line in lines for name in line.labels}),
                "metadata": sorted({name for line in lines for name in line.metadata}),
                "systems": sorted({line.labels.get("system", "") for line in lines}),
            }
    return found


def spans(traces: Iterable[Mapping[str, Any]], service: str) -> dict[str, Any]:
    """Attribute names of a service's spans, by span name and kind."""
    found: dict[str, Counter[str]] = {}
    seen: Counter[str] = Counter()
    for span, name in _spans(traces):
        if name == service and _SWITCH not in span["operationName"]:
            tags = {tag["key"]: str(tag["value"]) for tag in span.get("tags") or ()}
            key = f"{span['operationName']} ({tags.pop('span.kind', 'no kind')})"
            seen[key] += 1
            found.setdefault(key, Counter()).update(tags.keys() - _OF_FAILURES)
    return {
        key: {
            "attributes": sorted(attributes),
            "usual": sorted(name for name, count in attributes.items() if 2 * count > seen[key]),
            "seen": seen[key],
        }
        for key, attributes in found.items()
    }


def resources(traces: Iterable[Mapping[str, Any]], service: str) -> list[str]:
    """Names of the attributes of a service's resource."""
    processes = (one for trace in traces for one in trace["processes"].values())
    return sorted(
        {tag["key"] for one in processes if one["serviceName"] == service for tag in one.get("tags") or ()}
    )


def _traces(jaeger: Jaeger, service: str, start: float, end: float) -> list[Mapping[str, Any]]:
    params: Params = {"service": service, "start": int(start * 1e6), "end": int(end * 1e6), "limit": TRACES}
    return list(jaeger.get("/api/traces", params).get("data") or ())


def _spans(traces: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Mapping[str, Any], str]]:
    for trace in traces:
        for span in trace["spans"]:
            yield span, trace["processes"][span["processID"]]["serviceName"]


def _family(name: str, families: Mapping[str, object]) -> str:
    """The family of a series: that of its name without what counters, summaries and histograms add."""
    for suffix in ("", "_total", "_bucket", "_count", "_sum", "_created", "_info"):
        if name.endswith(suffix) and name.removesuffix(suffix) in families:
            return name.removesuffix(suffix)
    return name


def _slice(file: str) -> str:
    return "/".join(Path(file).parts[-2:])


def _rule_name(rule: Mapping[str, Any]) -> str:
    labels = ",".join(f"{name}={value}" for name, value in sorted((rule.get("labels") or {}).items()))
    return f"{rule['name']}{{{labels}}}"


def _platform_series(root: Path) -> frozenset[str]:
    text = (root / "config/platform/components.yml").read_text(encoding="utf-8")
    return frozenset(yaml.safe_load(text)["series"])
