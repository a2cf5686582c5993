"""PromQL as tokens: enough to find every duration, comparison and comment, and never a text inside a string.

A rule that must not simply be divided by ten says so in a PromQL comment on the line that it is
about, where the number and its demo value are read together:

    sum(increase(fds_sla_violations_total[5m]))
      > 100  # demo_threshold: 10
    sum(increase(llm_cost_usd_total[1d])) > 100  # demo_range: 2m

Annotations would travel with every notification and a key of our own beside `expr` is refused by
Prometheus; a comment in the expression is part of the parsed document, and Prometheus drops it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from .durations import DURATION, format_duration, parse_duration

_NUMBER = re.compile(r"0[xX][0-9a-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_PATTERNS = (
    ("space", re.compile(r"\s+")),
    ("comment", re.compile(r"#[^\n]*")),
    ("string", re.compile(r'"(?:\\.|[^"\\\n])*"|' + r"'(?:\\.|[^'\\\n])*'|`[^`]*`")),
    ("word", re.compile(r"[A-Za-z_:][A-Za-z0-9_:]*")),
    ("operator", re.compile(r"==|!=|<=|>=|=~|!~|[-+*/%^<>=,:@(){}\[\]]")),
)
_IN_BRACKETS = (_PATTERNS[0], _PATTERNS[1], ("word", re.compile(r"[A-Za-z_]\w*")), _PATTERNS[4])
COMPARISONS = frozenset({"==", "!=", "<=", ">=", "<", ">"})
_DIRECTIVE = re.compile(r"#\s*(demo_\w+):\s*(\S+)\s*")


class PromqlError(ValueError):
    """The expression holds something that cannot be paced or read."""


@dataclass(frozen=True)
class Token:
    """A piece of PromQL; the texts of all tokens joined give the expression back."""

    kind: str  # space, comment, string, word, operator, number, duration
    text: str


@dataclass(frozen=True)
class Comparison:
    """One comparison at the top of an expression, such as `sum(x) > 100`."""

    left: str
    operator: str
    right: str


def tokenize(expression: str) -> list[Token]:
    """Split `expression` without losing a character. Raises PromqlError where nothing fits."""
    tokens: list[Token] = []
    position = brackets = 0
    while position < len(expression):
        token = _next(expression, position, inside=brackets > 0)
        if token.text in {"[", "]"}:
            brackets += 1 if token.text == "[" else -1
        tokens.append(token)
        position += len(token.text)
    return tokens


def _next(expression: str, position: int, *, inside: bool) -> Token:
    """The token at `position`; `inside` square brackets a colon separates range and step."""
    if expression[position].isdigit() or re.match(r"\.\d", expression[position:]):
        duration, number = DURATION.match(expression, position), _NUMBER.match(expression, position)
        if duration and number and duration.end() >= number.end() and duration.group():
            return Token("duration", duration.group())
        if number:
            return Token("number", number.group())
    for kind, pattern in _IN_BRACKETS if inside else _PATTERNS:
        found = pattern.match(expression, position)
        if found:
            return Token(kind, found.group())
    raise PromqlError(f"cannot read {expression[position : position + 20]!r}")


def scale_expression(
    expression: str, *, scale_range: Callable[[int], int], scale_other: Callable[[int], int]
) -> str:
    """The expression at demo pace: ranges by `scale_range`, steps and offsets by `scale_other` (in ms).

    `# demo_threshold: N` and `# demo_range: D` replace the one number that is compared, or the one
    range, on their own line, and are dropped. Raises PromqlError on a duration used as a number, on
    `@`, on a range that is not written as durations, and on a directive that fits nothing.
    """
    lines = _lines(tokenize(expression))
    state = _Scaler(scale_range, scale_other)
    return "".join("".join(token.text for token in state.line(line)) for line in lines)


def _directive(comment: str) -> tuple[str, str] | None:
    """Name and value of a comment that is for the demo pace; None for any other comment."""
    found = _DIRECTIVE.fullmatch(comment)
    if not found and re.match(r"#\s*demo_", comment):
        raise PromqlError(
            f"{comment!r} must be written '# demo_threshold: 10' or '# demo_range: 2m', and no more"
        )
    return (found[1], found[2]) if found else None


def _lines(tokens: Sequence[Token]) -> list[list[Token]]:
    """Tokens line by line; white space that holds line breaks ends its line."""
    lines: list[list[Token]] = [[]]
    for token in tokens:
        lines[-1].append(token)
        if token.kind == "space" and "\n" in token.text:
            lines.append([])
    return lines


class _Scaler:
    """Carries what must be remembered across lines: brackets, and whether an offset was announced."""

    def __init__(self, scale_range: Callable[[int], int], scale_other: Callable[[int], int]) -> None:
        self._range, self._other = scale_range, scale_other
        self._where = ""  # "" outside brackets, "range" or "step" inside
        self._offset = False
        self._compared = False

    def line(self, tokens: Sequence[Token]) -> list[Token]:
        """One line at demo pace, its directive applied and dropped."""
        scaled: list[Token] = []
        ranges: list[int] = []
        thresholds: list[int] = []
        directive: tuple[str, str] | None = None
        for token in tokens:
            if token.kind == "comment":
                found = _directive(token.text)
                directive = found or directive
                if found and scaled and scaled[-1].kind == "space" and "\n" not in scaled[-1].text:
                    scaled.pop()
                scaled.extend([] if found else [token])
                continue
            if token.kind == "space":
                scaled.append(token)
                continue
            if token.kind == "duration" and self._where == "range":
                ranges.append(len(scaled))
            if token.kind == "number" and self._compared:
                thresholds.append(len(scaled))
            scaled.append(self._token(token))
        if directive:
            self._apply(directive, scaled, ranges, thresholds)
        return scaled

    def _token(self, token: Token) -> Token:
        """One token at demo pace; keeps track of where in the expression it stands."""
        offset, self._offset = self._offset, False
        self._compared = token.text in COMPARISONS or (self._compared and token.text in {"-", "bool"})
        if token.text == "[":
            self._where = "range"
        elif token.text == "]":
            self._where = ""
        elif self._where and token.text == ":":
            self._where = "step"
        elif token.kind == "duration":
            return self._duration(token, offset)
        elif self._where:
            raise PromqlError(
                f"a range must be written as durations such as [5m] or [1h:5m], not with {token.text!r}"
            )
        elif token.text == "@":
            raise PromqlError("the @ modifier fixes a time, which has no pace")
        elif (token.text.lower() == "offset" and token.kind == "word") or (offset and token.text == "-"):
            self._offset = True
        elif offset:
            raise PromqlError(f"offset must be followed by a duration such as 5m, not by {token.text!r}")
        return token

    def _duration(self, token: Token, offset: bool) -> Token:
        milliseconds = parse_duration(token.text)
        if self._where == "range":
            return replace(token, text=format_duration(self._range(milliseconds)))
        if self._where == "step" or offset:
            return replace(token, text=format_duration(self._other(milliseconds)))
        raise PromqlError(f"{token.text} is used as a number; write it in seconds, without a unit")

    @staticmethod
    def _apply(
        directive: tuple[str, str], scaled: list[Token], ranges: list[int], thresholds: list[int]
    ) -> None:
        """Put the directive's value in the place of the one number or range of its line."""
        name, value = directive
        places = {"demo_threshold": thresholds, "demo_range": ranges}.get(name)
        if places is None:
            raise PromqlError(f"{name} is not known; there are demo_threshold and demo_range")
        if len(places) != 1:
            what = "number after a comparison" if name == "demo_threshold" else "range"
            raise PromqlError(f"{name} needs exactly one {what} on its line, and there are {len(places)}")
        if name == "demo_threshold" and not _NUMBER.fullmatch(value):
            raise PromqlError(f"demo_threshold must be a number, not {value!r}")
        if name == "demo_range":
            parse_duration(value)
        scaled[places[0]] = replace(scaled[places[0]], text=value)


def longest_range(expression: str) -> int:
    """Milliseconds of the longest range (without offset) in `expression`; 0 when it has none."""
    tokens = [token for token in tokenize(expression) if token.kind not in {"space", "comment"}]
    ranges = [parse_duration(after.text) for before, after in pairwise(tokens) if before.text == "["]
    return max(ranges, default=0)


def comparisons(expression: str) -> list[Comparison]:
    """The comparisons joined by `and` at the top of `expression`, for saying which of them holds a rule back.

    Empty when the expression has another form.
    """
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokenize(expression):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
        if depth == 0 and token.text in {"or", "unless", "on", "ignoring"}:
            return []
        if depth == 0 and token.text == "and":
            parts.append([])
        elif token.kind != "comment":
            parts[-1].append(token)
    return [found for part in parts for found in _comparison(part)]


def _comparison(tokens: Sequence[Token]) -> list[Comparison]:
    depth = 0
    for index, token in enumerate(tokens):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0)
        if depth == 0 and token.text in COMPARISONS:
            left, right = (_text(side) for side in (tokens[:index], tokens[index + 1 :]))
            return [Comparison(left, token.text, right)]
    return []


def _text(tokens: Sequence[Token]) -> str:
    return "".join(token.text for token in tokens).strip()
