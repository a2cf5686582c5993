"""What TraceQL expressions refer to: services, spans and attributes, beside Tempo's own words."""

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

from .expressions import ExpressionError

_TOKEN = re.compile(
    r'(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<word>[A-Za-z_][\w.]*)|(?P<number>\d+(?:\.\d+)?\w*)|(?P<sign>[^\s\w])'
)
_CLOSES = {")": "(", "}": "{"}
_SCOPES = ("resource", "span")
WORDS = frozenset({
    "name", "kind", "status", "statusMessage", "duration", "rootName", "rootServiceName", "traceDuration",
    "nil", "true", "false", "error", "ok", "unset", "server", "client", "internal", "producer", "consumer",
    "count", "avg", "min", "max", "sum", "by", "select", "coalesce",
})  # fmt: skip


@dataclass(frozen=True)
class Traceql:
    """Attributes as they are written (span.x, resource.x), what names and services are compared with."""

    attributes: frozenset[str]
    names: frozenset[str]
    services: frozenset[str]


@dataclass(frozen=True)
class Traces:
    """What spans there are: names of services and spans, and attributes of spans and of resources."""

    services: Set[str]
    spans: Set[str]
    attributes: Set[str]
    resource: Set[str]


def traceql(expression: str) -> Traceql:
    """References of a TraceQL expression. Raises ExpressionError for what is no such expression."""
    tokens = [(found.lastgroup or "", found.group()) for found in _TOKEN.finditer(expression)]
    _balanced([text for kind, text in tokens if kind == "sign"])
    attributes: set[str] = set()
    names: set[str] = set()
    services: set[str] = set()
    for place, (kind, text) in enumerate(tokens):
        if kind != "word":
            continue
        scope, _, rest = text.partition(".")
        if rest and scope in _SCOPES:
            attributes.add(text)
        elif text not in WORDS:
            raise ExpressionError(f"{text!r} is no word of TraceQL; an attribute is span.{text}")
        if text in {"name", "resource.service.name"}:
            found = {one for value in _compared(tokens[place + 1 :]) for one in value.split("|")}
            (names if text == "name" else services).update(found)
    return Traceql(frozenset(attributes), frozenset(names), frozenset(services))


def check_traceql(expression: str, known: Traces) -> Iterator[str]:
    """What a TraceQL expression refers to and nothing declares."""
    try:
        read = traceql(expression)
    except ExpressionError as error:
        yield f"cannot be read: {error}: {expression}"
        return
    yield from (f"there is no service {one!r}" for one in sorted(read.services - known.services))
    yield from (f"no service makes a span {one!r}" for one in sorted(read.names - known.spans))
    for one in sorted(read.attributes):
        scope, _, name = one.partition(".")
        if name not in (known.resource if scope == "resource" else known.attributes):
            yield f"no {scope} has the attribute {name!r}"


def _compared(rest: list[tuple[str, str]]) -> Iterator[str]:
    """The string right after the signs of a comparison."""
    for kind, text in rest:
        if kind == "string":
            yield text[1:-1]
        if kind != "sign":
            return


def _balanced(signs: list[str]) -> None:
    waiting: list[str] = []
    for sign in signs:
        if sign in _CLOSES.values():
            waiting.append(sign)
        elif sign in _CLOSES and (not waiting or waiting.pop() != _CLOSES[sign]):
            raise ExpressionError(f"{sign!r} closes nothing")
    if waiting:
        raise ExpressionError(f"{waiting[-1]!r} is not closed")
    if "{" not in signs:
        raise ExpressionError("there is no span set in braces")
