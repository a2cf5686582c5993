"""What a slice declares about itself in services/<name>/probe.yml.

job        the job of its target
request    method, path, body, headers: the one request that verify sends
prepare    requests that come first, in order; `save: {order: id}` keeps a value of the answer as {order}
metrics    moving: by this request; present: there at all
logs       messages of the request's lines
spans      names of the slice's own spans
exemplar   query, and exact: of this very request
trace      services whose spans and lines stand in the request's one trace, further spans, and kinds of
           client spans (sql, redis, http)
canaries   requests that carry planted secrets to where they could be written down, see CanaryWish

In paths, bodies and headers "{number}" with its quotes becomes a number, {nonce} twelve hex digits.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from firedrill.errors import TopologyError

KINDS = ("sql", "redis", "http")
PLACES = ("logs", "traces", "answer", "inbox")
SECRETS = ("api_key", "email", "phone", "card", "aws_key", "database_url")


@dataclass(frozen=True)
class Request:
    """A request with placeholders; `body` is JSON text, `save` maps names to dotted paths in the answer."""

    method: str
    path: str
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    save: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ExemplarWish:
    """Where an exemplar must be: the probe's own (`exact`), or any fresh one that opens its trace."""

    query: str
    exact: bool


@dataclass(frozen=True)
class TraceWish:
    """What the one trace of the request must hold besides the slice's own spans."""

    services: tuple[str, ...]
    spans: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True)
class CanaryWish:
    """A request with {canary} where the planted secrets go, all together, or one after another (`each`).

    `channel` is body or error: whether the value is data of the request, or the text of an error that it
    causes. `secrets` are the kinds that the field takes, `reaches` the places where the value is written
    (masked): there its marker must be found.
    """

    channel: str
    request: Request
    each: bool
    secrets: tuple[str, ...]
    reaches: tuple[str, ...]


@dataclass(frozen=True)
class ProbePlan:
    """The declared facts of one slice, out of its probe.yml."""

    service: str
    job: str
    request: Request
    moving: tuple[str, ...]
    present: tuple[str, ...]
    messages: tuple[str, ...]
    spans: tuple[str, ...]
    exemplar: ExemplarWish | None
    prepare: tuple[Request, ...] = ()
    trace: TraceWish | None = None
    canaries: tuple[CanaryWish, ...] = ()


def load_plans(root: Path) -> dict[str, ProbePlan]:
    """The plan of every slice that has one, by service name; raises TopologyError on a bad file."""
    return {path.parent.name: load_plan(path) for path in sorted((root / "services").glob("*/probe.yml"))}


def load_plan(path: Path) -> ProbePlan:
    """One slice's plan; raises TopologyError when the file cannot be read, lacks a key or has a wrong one."""
    try:
        return _plan(path.parent.name, yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise TopologyError(
            f"{path} cannot be used", why, "compare it with another slice's probe.yml"
        ) from error


def _plan(service: str, data: Mapping[str, Any]) -> ProbePlan:
    metrics, exemplar, trace = data["metrics"], data.get("exemplar"), data.get("trace")
    return ProbePlan(
        service=service,
        job=str(data["job"]),
        request=_request(data["request"]),
        moving=tuple(metrics["moving"]),
        present=tuple(metrics.get("present", ())),
        messages=tuple(data["logs"]),
        spans=tuple(data["spans"]),
        exemplar=ExemplarWish(exemplar["query"], bool(exemplar.get("exact", False))) if exemplar else None,
        prepare=tuple(_request(one) for one in data.get("prepare", ())),
        trace=_trace(trace) if trace else None,
        canaries=tuple(_canary(one) for one in data.get("canaries", ())),
    )


def _request(data: Mapping[str, Any]) -> Request:
    return Request(
        method=str(data.get("method", "GET")),
        path=str(data["path"]),
        body=json.dumps(data["body"]) if "body" in data else "",
        headers={str(name): str(value) for name, value in data.get("headers", {}).items()},
        save={str(name): str(path) for name, path in data.get("save", {}).items()},
    )


def _trace(data: Mapping[str, Any]) -> TraceWish:
    return TraceWish(
        tuple(data["services"]),
        tuple(data.get("spans", ())),
        _known("kinds", data.get("kinds", ()), KINDS),
    )


def _canary(data: Mapping[str, Any]) -> CanaryWish:
    (channel,) = _known("in", [data["in"]], ("body", "error"))
    return CanaryWish(
        channel=channel,
        request=_request(data),
        each=bool(data.get("each", False)),
        secrets=_known("secrets", data.get("secrets", SECRETS), SECRETS),
        reaches=_known("reaches", data["reaches"], PLACES),
    )


def _known(key: str, values: Any, choices: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if value not in choices:
            raise ValueError(f"{key}: {value!r} is none of {', '.join(choices)}")
    return tuple(values)
