"""What PromQL and LogQL expressions refer to: metrics, matchers, labels of groups, fields of lines."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from firedrill.pace.promql import Token, tokenize

_GROUPING = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_KEYWORDS = frozenset({"and", "or", "unless", "offset", "bool", "inf", "nan", "start", "end"})
_MACROS = (
    ("$__rate_interval", "1m"),
    ("$__range", "30m"),
    ("$__interval", "15s"),
)
_VARIABLE = re.compile(r"\$\{?((?!__)[A-Za-z_]\w*)(?::\w+)?\}?")
_LOGQL = re.compile(r'(?P<string>"(?:\\.|[^"\\])*"|`[^`]*`)|(?P<word>[A-Za-z_]\w*)|(?P<sign>[^\sA-Za-z_])')
_PAIRS = {")": "(", "]": "[", "}": "{"}


class ExpressionError(ValueError):
    """The expression cannot be read."""


@dataclass(frozen=True)
class Matcher:
    """`label="value"` in braces."""

    label: str
    operator: str
    value: str


@dataclass(frozen=True)
class Selector:
    """One metric with its matchers; several names come from a matcher on __name__."""

    names: tuple[str, ...]
    matchers: tuple[Matcher, ...]


@dataclass(frozen=True)
class Group:
    """Labels of one `by (...)` or the like, and the selectors that it groups."""

    kind: str
    labels: tuple[str, ...]
    selectors: tuple[Selector, ...]


@dataclass(frozen=True)
class Promql:
    """What an expression refers to; `made` are the labels that label_replace and label_join add."""

    selectors: tuple[Selector, ...]
    groups: tuple[Group, ...]
    made: frozenset[str]


@dataclass(frozen=True)
class Logql:
    """What an expression refers to: labels of streams, and fields of lines besides them."""

    matchers: tuple[Matcher, ...]
    fields: frozenset[str]


def expand(expression: str) -> str:
    """The expression with Grafana's macros as durations, and every variable as what stands for all values."""
    for macro, duration in _MACROS:
        expression = expression.replace(macro, duration)
    return _VARIABLE.sub(".+", expression)


def variables(words: str) -> set[str]:
    """The dashboard's variables that occur in a text."""
    return set(_VARIABLE.findall(words))


def promql(expression: str) -> Promql:
    """References of a PromQL expression without macros. Raises ExpressionError and PromqlError."""
    tokens = [one for one in tokenize(expression) if one.kind not in {"space", "comment"}]
    closing = _brackets([one.text if one.kind == "operator" else "" for one in tokens])
    placed: list[tuple[int, Selector]] = []
    label_lists: list[tuple[int, int, tuple[str, ...]]] = []
    place = 0
    while place < len(tokens):
        token, after = tokens[place], tokens[place + 1] if place + 1 < len(tokens) else None
        if token.kind == "word" and token.text in _GROUPING and after and after.text == "(":
            end = closing[place + 1]
            names = tuple(one.text for one in tokens[place + 2 : end] if one.kind == "word")
            label_lists.append((place, end, names))
            place = end
        elif token.text == "{" or (token.kind == "word" and after and after.text == "{"):
            opening = place if token.text == "{" else place + 1
            end = closing[opening]
            matchers = _matchers(tokens[opening + 1 : end])
            own = "" if token.text == "{" else token.text
            placed.append((place, _selector(own, matchers)))
            place = end
        elif _names_a_metric(token, after):
            placed.append((place, _selector(token.text, ())))
        place += 1
    groups = tuple(_group(tokens, closing, placed, one) for one in label_lists)
    return Promql(tuple(one for _, one in placed), groups, _made(tokens))


def logql(expression: str) -> Logql:
    """References of a LogQL expression without macros. Raises ExpressionError."""
    tokens = [
        (found.lastgroup or "", found.group())
        for found in _LOGQL.finditer(expression)
        if found.group().strip()
    ]
    closing = _brackets([text if kind == "sign" else "" for kind, text in tokens])
    opening = [place for place, (kind, text) in enumerate(tokens) if (kind, text) == ("sign", "{")]
    if not opening:
        raise ExpressionError("there is no stream selector in braces")
    matchers: list[Matcher] = []
    inside: set[int] = set()
    for place in opening:
        span = range(place, closing[place] + 1)
        inside |= set(span)
        matchers += _matchers(
            [Token(_KINDS[kind], text) for kind, text in tokens[place + 1 : closing[place]]]
        )
    rest = [one for place, one in enumerate(tokens) if place not in inside]
    return Logql(tuple(matchers), frozenset(_fields(rest)))


_KINDS = {"string": "string", "word": "word", "sign": "operator"}


def _fields(tokens: Sequence[tuple[str, str]]) -> Iterable[str]:
    """Fields that filters, unwrap, groups and templates name."""
    grouped = False
    for (_, before), (kind, text), (_, after) in zip(
        [("", ""), *tokens], tokens, [*tokens[1:], ("", "")], strict=False
    ):
        if kind == "string" and before in {"line_format", "label_format"}:
            yield from re.findall(r"\{\{\s*\.(\w+)", text)
        if text == "(" and before in {"by", "without"}:
            grouped = True
        elif text == ")":
            grouped = False
        elif kind == "word" and (
            grouped or before == "unwrap" or (before in {"|", "and", "or"} and after in {"=", "!", ">", "<"})
        ):
            yield text


def _names_a_metric(token: Token, after: Token | None) -> bool:
    if token.kind != "word" or token.text.lower() in _KEYWORDS | _GROUPING:
        return False
    # An aggregation may have its group before the brackets: sum by (x) (...).
    return after is None or (after.text != "(" and after.text not in {"by", "without"})


def _selector(name: str, matchers: tuple[Matcher, ...]) -> Selector:
    named = [one for one in matchers if one.label == "__name__"]
    names = (name,) if name else tuple(part for one in named for part in one.value.split("|"))
    return Selector(names, tuple(one for one in matchers if one.label != "__name__"))


def _matchers(tokens: Sequence[Token]) -> tuple[Matcher, ...]:
    texts = "".join(one.text if one.kind == "string" else f" {one.text} " for one in tokens)
    signs = re.findall(r'(\w+)\s*((?:[=!]\s*[=~]?))\s*("(?:\\.|[^"\\])*"|`[^`]*`|\'[^\']*\')', texts)
    if tokens and not signs:
        raise ExpressionError(f"cannot read the matchers {texts.strip()!r}")
    return tuple(Matcher(label, sign.replace(" ", ""), value[1:-1]) for label, sign, value in signs)


def _group(
    tokens: Sequence[Token],
    closing: dict[int, int],
    placed: Sequence[tuple[int, Selector]],
    labels: tuple[int, int, tuple[str, ...]],
) -> Group:
    """The selectors in the brackets after the label list, or before it: sum(x) by (y)."""
    place, end, names = labels
    kind = tokens[place].text
    if kind not in {"by", "without"}:
        return Group(kind, names, tuple(one for _, one in placed))
    if end + 1 in closing and tokens[end + 1].text == "(":
        span = range(end + 1, closing[end + 1])
    else:
        span = range(next(start for start, stop in closing.items() if stop == place - 1), place)
    return Group(kind, names, tuple(one for at, one in placed if at in span))


def _made(tokens: Sequence[Token]) -> frozenset[str]:
    """Second argument of label_replace and label_join: the first string after a comma at their own depth."""
    made: set[str] = set()
    open_calls: list[list[str]] = []
    for before, token in pairwise([Token("space", ""), *tokens]):
        if token.text == "(":
            open_calls.append([before.text])
        elif token.text == ")" and open_calls:
            open_calls.pop()
        elif token.kind == "string" and open_calls and open_calls[-1][0] in {"label_replace", "label_join"}:
            if before.text == "," and len(open_calls[-1]) == 1:
                made.add(token.text[1:-1])
            if before.text == ",":  # and not in the braces of a selector
                open_calls[-1].append(token.text)
    return frozenset(made)


def _brackets(texts: Sequence[str]) -> dict[int, int]:
    """Where each bracket closes. Raises ExpressionError for one that does not, or was never opened."""
    closing: dict[int, int] = {}
    waiting: list[tuple[int, str]] = []
    for place, text in enumerate(texts):
        if text in _PAIRS.values():
            waiting.append((place, text))
        elif text in _PAIRS:
            if not waiting or waiting[-1][1] != _PAIRS[text]:
                raise ExpressionError(f"{text!r} closes nothing")
            closing[waiting.pop()[0]] = place
    if waiting:
        raise ExpressionError(f"{waiting[-1][1]!r} is not closed")
    return closing
