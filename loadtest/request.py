"""One request as plain values, made by the seeded streams and sent by whatever client."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Request:
    """A POST of JSON; `name` groups it in reports, `expected` are the statuses that are not a failure."""

    path: str
    body: object
    name: str
    expected: frozenset[int] = frozenset({200})
