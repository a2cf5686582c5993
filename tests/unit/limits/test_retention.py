"""Old rows go in batches, counted and told; a table that fails does not keep the others."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from limits.retention import DELETED, FAILED, PAUSE_SECONDS, SWEEP_EVERY_SECONDS, Retention, Sweeper
from tests.unit.limits.observed import Observed


@dataclass
class FakeTable:
    """So many old rows; may fail."""

    old: int
    fails: bool = False
    asked: list[tuple[timedelta, int]] = field(default_factory=list)

    async def purge(self, age: timedelta, limit: int) -> int:
        """See Purge."""
        self.asked.append((age, limit))
        if self.fails:
            raise ConnectionError("nobody answers")
        gone = min(self.old, limit)
        self.old -= gone
        return gone


class Rig(Observed):
    """A sweeper on fake tables, with a clock that does not wait."""

    def __init__(self, *, days: float = 7, batch: int = 100, **tables: FakeTable) -> None:
        super().__init__()
        self.slept: list[float] = []
        purges = {name: table.purge for name, table in tables.items()}
        self.sweeper = Sweeper(
            Retention(days), purges, self.telemetry.metrics, batch=batch, sleep=self._sleep
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if self.slept.count(SWEEP_EVERY_SECONDS) > 2:
            raise asyncio.CancelledError
        await asyncio.sleep(0)

    def told(self, message: str) -> list[dict[str, Any]]:
        """The log lines with this message."""
        return [line for line in self.lines() if line["message"] == message]


def test_a_sweep_takes_all_in_batches_with_pauses_between() -> None:
    """250 rows are three batches; counted by table, told once."""
    table = FakeTable(250)
    rig = Rig(orders=table)
    asyncio.run(rig.sweeper.sweep())
    assert table.old == 0
    assert table.asked == [(timedelta(days=7), 100)] * 4
    assert rig.slept == [PAUSE_SECONDS] * 3
    assert rig.value("retention_rows_deleted_total", table="orders") == 250
    (line,) = rig.told(DELETED)
    assert (line["table"], line["rows"], line["days"]) == ("orders", 250, 7)


def test_a_table_that_fails_is_told_and_the_others_are_swept() -> None:
    """What was deleted before stays counted; the next sweep tries again."""
    rig = Rig(broken=FakeTable(5, fails=True), whole=FakeTable(5))
    asyncio.run(rig.sweeper.sweep())
    assert rig.value("retention_failures_total", table="broken") == 1
    assert rig.value("retention_rows_deleted_total", table="whole") == 5
    (line,) = rig.told(FAILED)
    assert (line["table"], line["level"]) == ("broken", "WARNING")
    assert "ConnectionError" in line["reason"]


def test_it_sweeps_every_minute_and_not_at_once() -> None:
    """A start of all services together is busy enough."""
    table = FakeTable(0)
    rig = Rig(t=table)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(rig.sweeper.run())
    assert rig.slept == [SWEEP_EVERY_SECONDS] * 3
    assert len(table.asked) == 2


def test_zero_days_keep_everything() -> None:
    """Nothing is asked, nothing waits."""
    table = FakeTable(5)
    rig = Rig(days=0, t=table)
    asyncio.run(rig.sweeper.run())
    assert (table.asked, rig.slept) == ([], [])


def test_a_service_on_fakes_has_nothing_to_delete() -> None:
    """No table, no sample, no error."""
    rig = Rig()
    asyncio.run(rig.sweeper.sweep())
    assert rig.lines() == []


def test_it_stops_with_the_block_around_it() -> None:
    """The service's end does not wait for a sweep."""

    async def run() -> None:
        rig = Rig(t=FakeTable(0))
        async with rig.sweeper.running():
            pass
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(run())


def test_days_are_read_from_the_environment() -> None:
    """Seven without a word; less than a day would take from people what they are still working on."""
    assert Retention.from_environment({}) == Retention(7)
    assert Retention.from_environment({"RETENTION_DAYS": "30"}) == Retention(30)
    assert Retention.from_environment({"RETENTION_DAYS": "0"}) == Retention(0)
    for wrong in ("0.5", "-1", "week"):
        with pytest.raises(ValueError, match="RETENTION_DAYS must be"):
            Retention.from_environment({"RETENTION_DAYS": wrong})
