"""Several builders, and builders that are stopped or killed: real processes around a fake go command."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from firedrill.build.children import end_leftovers
from firedrill.build.pins import ROOT
from firedrill.wait import poll_until
from tests.unit.build.conftest import Bench

DRIVER = """
import sys
from firedrill.build import main
from firedrill.build.pins import parse
sys.exit(main(sys.argv[2:], True, pins=parse(open(sys.argv[1]).read())))
"""


@contextlib.contextmanager
def builder(bench: Bench, behaviour: str) -> Iterator[subprocess.Popen[str]]:
    """A builder process of its own; ended at the end whatever happens."""
    from tests.unit.build.conftest import PINS  # noqa: PLC0415

    (bench.folder / "pins.yaml").write_text(PINS)
    process = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(bench.folder / "pins.yaml"), "alpha"],
        env={**bench.environ(behaviour), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def compiler(bench: Bench) -> int:
    """The pid of the fake compiler, once it is at work."""

    def written() -> int:
        path = bench.folder / "pid"
        return int(path.read_text() or 0) if path.exists() else 0

    return poll_until(written, "the compiler starts", 10, interval=0.05)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def nothing_half_written(cache: Path) -> bool:
    return not (cache / "work").exists() and not list((cache / "bin").glob("*/*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_builder_ends_its_compiler_and_leaves_nothing_half_written(
    bench: Bench, number: int
) -> None:
    """Ctrl-C, or `make down` while components compile."""
    with builder(bench, "stuck") as process:
        pid = compiler(bench)
        process.send_signal(number)
        assert process.wait(10) == 130
    assert gone(pid)
    assert nothing_half_written(bench.cache)


def test_the_compiler_runs_at_the_lowest_priority(bench: Bench) -> None:
    """A build at equal priority starves what already serves."""
    with builder(bench, "stuck"):
        assert os.getpriority(os.PRIO_PROCESS, compiler(bench)) == 19


def test_a_builder_whose_reader_is_gone_stops(bench: Bench) -> None:
    """When the supervisor is killed nobody waits for the result, and nothing may be left running."""
    with builder(bench, "stuck") as process:
        pid = compiler(bench)
        assert process.stdout
        process.stdout.close()
        assert process.wait(10) == 130
        process.stdout = None
    assert gone(pid)
    assert nothing_half_written(bench.cache)


def test_after_a_kill_the_next_run_ends_the_orphan_and_builds(bench: Bench) -> None:
    """`kill -9` leaves a compiler without a parent and a work folder; both are cleaned up."""
    with builder(bench, "stuck") as process:
        pid = compiler(bench)
        process.kill()
        process.wait(10)
    assert not gone(pid)
    assert (bench.cache / "work").exists()
    code, _ = bench.build("alpha")
    assert code == 0
    assert gone(pid)
    assert not (bench.cache / "work").exists()
    assert bench.binary("alpha").exists()


def test_a_second_builder_waits_and_then_finds_the_result(bench: Bench) -> None:
    """Two terminals with `make up` compile each component once."""
    with builder(bench, "gated") as first:
        compiler(bench)
        with builder(bench, "") as second:
            assert second.stdout
            assert '"wait"' in second.stdout.readline()
            (bench.folder / "gate").touch()
            assert first.wait(10) == 0
            assert second.wait(10) == 0
            assert '"cached"' in second.stdout.read()
    builds = [call for call in bench.calls if call.startswith("build")]
    assert len(builds) == 2  # alpha and alphatool, once each


def test_a_reused_pid_is_left_alone(tmp_path: Path) -> None:
    """The record of a killed builder may name a pid that belongs to somebody else by now."""
    record = tmp_path / "children.json"
    record.write_text(f'{{"{os.getpid()}": 12345.0}}')
    assert end_leftovers(record) == []
    record.write_text("cut o")
    assert end_leftovers(record) == []
    assert end_leftovers(tmp_path / "none") == []
