"""The disk that stores take: looked at twice, with the time between, and not before."""

from dataclasses import replace
from pathlib import Path

from firedrill.report.disk import Look, disk_figures, first_of, occupied, remember, remembered, sizes
from firedrill.report.model import Budget, Budgets

BUDGETS = Budgets({"disk_per_day": {"loki": Budget(1e6, "a laptop")}}, {})
THEN = Look(1000.0, "one", {"loki": 1_000_000})
NOW = Look(1600.0, "one", {"loki": 1_010_000})


def test_growth_is_for_a_day_at_the_rate_between_two_looks() -> None:
    """10 kB in ten minutes are 1.44 MB a day."""
    [found] = disk_figures(THEN, NOW, BUDGETS)
    assert (found.value, found.exceeded) == (1_440_000.0, True)
    assert found.note == "1.0 MB now; +0.0 MB in 10.0 min"


def test_a_store_that_shrank_does_not_grow() -> None:
    """It was compacted."""
    [found] = disk_figures(THEN, replace(NOW, sizes={"loki": 5}), BUDGETS)
    assert found.value == 0.0


def test_without_an_earlier_look_there_is_no_figure_yet() -> None:
    """Only what there is."""
    [found] = disk_figures(None, NOW, BUDGETS)
    assert (found.value, found.exceeded) == (None, False)
    assert found.note.startswith("not yet: 1.0 MB now")


def test_the_oldest_look_at_the_same_start_counts() -> None:
    """Not one of another start, none of the last half minute, and none older than a day."""
    looks = [
        replace(THEN, at=1600.0 - 90_000),
        replace(THEN, at=1100.0, stack="other"),
        replace(THEN, at=1200.0),
        replace(THEN, at=1300.0),
        replace(THEN, at=1590.0),
    ]
    assert first_of(looks, NOW) == looks[2]
    assert first_of(looks[4:], NOW) is None


def test_looks_are_kept_as_long_as_they_can_be_compared(tmp_path: Path) -> None:
    """A file that cannot be read is none."""
    file = tmp_path / "volume" / "looks.json"
    assert remembered(file) == []
    remember(file, [THEN, replace(THEN, stack="other"), replace(THEN, at=1590.0)], NOW)
    assert remembered(file) == [THEN, replace(THEN, at=1590.0), NOW]
    file.write_text("[{}]")
    assert remembered(file) == []


def test_what_files_occupy_counts_and_postgresqls_own_log_does_not(tmp_path: Path) -> None:
    """A file with a hole takes less than it is long."""
    base, log = tmp_path / "postgres-data" / "base", tmp_path / "postgres-data" / "pg_wal"
    for folder in (base, log):
        folder.mkdir(parents=True)
        (folder / "x").write_bytes(b"x" * 200_000)
    with (base / "sparse").open("wb") as file:
        file.truncate(50_000_000)
    found = sizes(tmp_path, ["postgres", "grafana"])
    assert found.keys() == {"postgres"}
    assert 200_000 <= found["postgres"] < 1_000_000
    assert occupied(tmp_path / "nothing") == 0
