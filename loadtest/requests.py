"""One request as plain values, made by the seeded streams and sent by whatever client."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """A JSON request; `expected` is the set of statuses that are not a failure of the service."""

    path: str
    body: object
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    expected: frozenset[int] = frozenset({200})
