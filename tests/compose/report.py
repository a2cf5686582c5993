"""The figures of a run, for people (reports/compose.md) and for programs (reports/compose.json)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.compose.containers import Container
from tests.compose.events import Times


@dataclass
class Report:
    """Durations in seconds, memory in MiB, sizes in bytes."""

    parts: dict[str, float] = field(default_factory=dict)
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    image: dict[str, Any] = field(default_factory=dict)
    kills: str = ""
    engine: str = ""

    def take_times(self, begin: float, times: Times) -> None:
        """When each container started and was healthy, counted from `begin`."""
        for name, at in times.started.items():
            healthy = times.healthy.get(name)
            self._of(name).update(started=at - begin, healthy=None if healthy is None else healthy - begin)

    def take_memory(self, found: Mapping[str, Container], used: Mapping[str, float]) -> None:
        """What each container uses, beside its limit."""
        for name, one in found.items():
            self._of(name).update(memory=used[one.id], limit=one.limit, restarts=one.restarts)

    def write(self, folder: Path) -> None:
        """Both forms; nothing when nothing ran."""
        if not self.containers:
            return
        folder.mkdir(exist_ok=True)
        values = {
            "engine": self.engine, "seconds": self.parts, "containers": self.containers, "image": self.image,
        }  # fmt: skip
        (folder / "compose.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        (folder / "compose.md").write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """In Markdown."""
        rows = [
            (name, _seconds(one.get("started")), _seconds(one.get("healthy"), "not checked"),
             f"{one.get('memory', 0):.0f} MiB", f"{one.get('limit', 0)} MiB", str(one.get("restarts", "")))
            for name, one in sorted(self.containers.items())
        ]  # fmt: skip
        total = sum(one.get("memory", 0) for one in self.containers.values())
        limits = sum(one.get("limit", 0) for one in self.containers.values())
        rows.append(("together", "", "", f"{total:.0f} MiB", f"{limits} MiB", ""))
        head = ("service", "started", "healthy", "memory", "limit", "restarts")
        parts = _table(("part", "seconds"), [(name, f"{took:.1f}") for name, took in self.parts.items()])
        image = _table(("service image", ""), [(name, str(value)) for name, value in self.image.items()])
        sections = [
            "# docker-compose.yml on a real engine", self.engine,
            "Seconds count from `make up`; memory with background traffic.", _table(head, rows), parts, image,
        ]  # fmt: skip
        if self.kills:
            sections += ["## Every backend killed under load", self.kills]
        return "\n\n".join(section for section in sections if section) + "\n"

    def _of(self, name: str) -> dict[str, Any]:
        return self.containers.setdefault(name, {})


def _seconds(value: float | None, otherwise: str = "") -> str:
    return otherwise if value is None else f"{value:.1f} s"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[number]) for row in [head, *rows]) for number in range(len(head))]
    lines = ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
             for row in [head, *rows]]  # fmt: skip
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
