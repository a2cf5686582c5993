"""What the stores take on disk, looked at twice: the growth between the two looks, a day at that rate."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from firedrill.documents import write

from .flow import DAY
from .model import Budgets, Figure

STORES: Mapping[str, str] = {
    "prometheus": "prometheus-data",
    "loki": "loki-data",
    "jaeger": "jaeger-data",
    "tempo": "tempo-data",
    "postgres": "postgres-data",
}
"""Compose service and the volume of docker-compose.yml in which it keeps its data."""
BOUNDED = frozenset({"pg_wal"})
"""Folders that are filled up to a fixed size (max_wal_size) in pieces of 16 MB, whatever comes in."""
LEAST_SECONDS = 30.0  # between two looks: files grow in steps, by pages and by segments
MOST_SECONDS = float(DAY)
_BLOCK = 512  # of st_blocks, always


@dataclass(frozen=True)
class Look:
    """The bytes of each store at one moment (unix seconds); `stack` names one start of the stack."""

    at: float
    stack: str
    sizes: Mapping[str, int]


def sizes(data: Path, stores: Sequence[str]) -> dict[str, int]:
    """The bytes that each of `stores` occupies under `data`, holes in files not counted."""
    return {one: occupied(data / STORES[one]) for one in stores if one in STORES}


def occupied(folder: Path) -> int:
    """The bytes that a folder's files occupy; what goes away meanwhile does not count."""
    total = 0
    for place, folders, files in os.walk(folder):
        folders[:] = [one for one in folders if one not in BOUNDED]
        for name in files:
            try:
                total += Path(place, name).lstat().st_blocks * _BLOCK
            except OSError:
                continue
    return total


def remembered(file: Path) -> list[Look]:
    """The earlier looks, oldest first; none when there is no such file or it cannot be read."""
    try:
        found = json.loads(file.read_text("utf-8"))
        return [Look(float(one["at"]), str(one["stack"]), dict(one["sizes"])) for one in found]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def remember(file: Path, looks: Sequence[Look], latest: Look) -> None:
    """Keep the looks at this start of the stack that are not too old. Raises EnvironmentProblem."""
    kept = [one for one in looks if _comparable(one, latest, least=0.0)]
    write(file, json.dumps([asdict(one) for one in (*kept, latest)]))


def first_of(looks: Sequence[Look], latest: Look) -> Look | None:
    """The oldest look with which `latest` can be compared."""
    fitting = [one for one in looks if _comparable(one, latest, least=LEAST_SECONDS)]
    return min(fitting, key=lambda one: one.at, default=None)


def _comparable(one: Look, latest: Look, *, least: float) -> bool:
    return one.stack == latest.stack and least <= latest.at - one.at <= MOST_SECONDS


def disk_figures(first: Look | None, latest: Look, budgets: Budgets) -> Iterator[Figure]:
    """The growth of each store; without an earlier look, how much there is."""
    for name, size in latest.sizes.items():
        budget, now = budgets.of("disk_per_day", name), f"{size / 1e6:.1f} MB now"
        if first is None or name not in first.sizes:
            note = f"not yet: {now}, and no earlier look at this stack"
            yield Figure("disk_per_day", name, None, budget, note)
            continue
        seconds = latest.at - first.at
        grown = size - first.sizes[name]
        note = f"{now}; {grown / 1e6:+.1f} MB in {seconds / 60:.1f} min"
        yield Figure("disk_per_day", name, max(0.0, grown / seconds * DAY), budget, note)
