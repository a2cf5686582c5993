"""Names every difference of two documents, and which of them are declared with a reason."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

import yaml

from firedrill.errors import UsageError
from firedrill.parity.document import PARTS, Document

T = TypeVar("T")
DECLARED = Path(__file__).with_name("declared.yml")
# Of something that had no occasion yet on one side nothing can be said: a family without series, or without
# a type (which the last scrape alone tells),
UNSEEN_IS_NO_DIFFERENCE = ("series", "type")
# and a span that traffic makes seldom, with the attributes that only some of them have.
SEEN, OFTEN = "seen", 20


@dataclass(frozen=True)
class Declared:
    """A difference that is meant: a pattern for its place, and why it is."""

    place: str
    why: str


@dataclass(frozen=True)
class Difference:
    """One difference: its place, such as targets/loki/loki, and what differs in words."""

    place: str
    what: str


@dataclass(frozen=True)
class Verdict:
    """The differences that nobody declared, and those that somebody did, each with the reason."""

    found: tuple[Difference, ...]
    explained: tuple[tuple[Difference, str], ...]


def declared(path: Path = DECLARED) -> tuple[Declared, ...]:
    """The differences that are meant. Raises UsageError for a file that cannot be used."""
    try:
        return tuple(Declared(**one) for one in yaml.safe_load(path.read_text(encoding="utf-8")) or ())
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise UsageError(f"{path} cannot be used", str(error), "each entry has place and why") from None


def compare(
    first: Document, second: Document, meant: Sequence[Declared] = (), *, names: tuple[str, str] = ("A", "B")
) -> Verdict:
    """Every difference between two documents, called by `names`."""
    found: list[Difference] = []
    explained: list[tuple[Difference, str]] = []
    for part in PARTS:
        for one in _differences(part, first[part], second[part], names):
            why = next((entry.why for entry in meant if fnmatchcase(one.place, entry.place)), None)
            if why is None:
                found.append(one)
            else:
                explained.append((one, why))
    return Verdict(tuple(found), tuple(explained))


def _differences(place: str, first: object, second: object, names: tuple[str, str]) -> Iterator[Difference]:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        if SEEN in first and SEEN in second:
            yield from _spans(place, first, second, names)
            return
        for key in sorted(first.keys() | second.keys()):
            where = f"{place}/{key}"
            if key in first and key in second:
                yield from _differences(where, first[key], second[key], names)
            elif key not in UNSEEN_IS_NO_DIFFERENCE and not _seldom(first.get(key) or second.get(key)):
                yield Difference(where, f"only in {names[0] if key in first else names[1]}")
    elif isinstance(first, list) and isinstance(second, list):
        one_sided = [(names[0], _without(first, second)), (names[1], _without(second, first))]
        told = [f"only in {name}: {', '.join(map(str, own))}" for name, own in one_sided if own]
        if told:
            yield Difference(place, "; ".join(told))
    elif first != second:
        yield Difference(place, f"{names[0]}: {first}; {names[1]}: {second}")


def _spans(
    place: str, first: Mapping[str, Any], second: Mapping[str, Any], names: tuple[str, str]
) -> Iterator[Difference]:
    """An attribute differs that most spans have on one side, and of many none on the other."""
    if _seldom(first) or _seldom(second):
        return
    sides = (
        (names[0], first["usual"], second["attributes"]),
        (names[1], second["usual"], first["attributes"]),
    )
    told = [
        f"only in {name}: {', '.join(own)}" for name, some, all_ in sides if (own := _without(some, all_))
    ]
    if told:
        yield Difference(f"{place}/attributes", "; ".join(told))


def _seldom(value: object) -> bool:
    return isinstance(value, Mapping) and int(value.get(SEEN, OFTEN)) < OFTEN


def _without(some: Sequence[T], others: Sequence[object]) -> list[T]:
    return [one for one in some if one not in others]
