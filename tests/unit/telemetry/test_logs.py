"""Log lines: their form, their way, and what happens when that way is blocked."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from firedrill.wait import poll_until
from telemetry.foreign_logs import RepeatFilter
from telemetry.logs import Pipeline, bind, configure, get_logger
from telemetry.masking import set_masking
from telemetry.settings import TelemetrySettings
from telemetry.sinks import FileSink, StdoutSink
from telemetry.traces import span

SETTINGS = TelemetrySettings(service="shop", system="shopfds")
log = get_logger("LLM")


class Memory:
    """A sink in memory, which can be shut."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.open = threading.Event()
        self.open.set()

    def write(self, lines: Any) -> None:
        self.open.wait()
        self.raw.extend(lines)

    def close(self) -> None:
        pass

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.raw]


class Losses:
    """Remembers what was dropped, and why."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    def __call__(self, reason: str, count: int) -> None:
        self.seen[reason] = self.seen.get(reason, 0) + count


@pytest.fixture
def memory() -> Iterator[Memory]:
    """The process's pipeline, writing to memory."""
    sink = Memory()
    pipeline = configure(SETTINGS, sinks=[sink])
    yield sink
    pipeline.close()


def flush(memory: Memory) -> list[dict[str, Any]]:
    from telemetry.scope import process_place  # noqa: PLC0415

    assert process_place.pipeline is not None
    assert process_place.pipeline.flush()
    return memory.lines


def test_every_line_has_its_keys(memory: Memory) -> None:
    """In their order and form; ids are empty outside a span."""
    log.info("Brief made", log_type="llm_brief", elapsed_ms=12.5, cache_hit=False, hints=["a", "b"])
    [line] = flush(memory)
    assert list(line)[:8] == [
        "timestamp",
        "level",
        "service",
        "system",
        "component",
        "message",
        "trace_id",
        "span_id",
    ]
    assert (
        abs(
            time.time()
            - time.mktime(time.strptime(line["timestamp"][:19], "%Y-%m-%dT%H:%M:%S"))
            + time.timezone
        )
        < 5
    )
    assert len(line["timestamp"]) == 24
    assert line["timestamp"].endswith("Z")
    assert {key: line[key] for key in line if key != "timestamp"} == {
        "level": "INFO",
        "service": "shop",
        "system": "shopfds",
        "component": "LLM",
        "message": "Brief made",
        "trace_id": "",
        "span_id": "",
        "log_type": "llm_brief",
        "elapsed_ms": 12.5,
        "cache_hit": False,
        "hints": ["a", "b"],
    }
    assert memory.raw[0].count(b"\n") == 1


def test_levels_below_the_chosen_one_are_not_written(memory: Memory) -> None:
    """And the others bear their names in capitals."""
    for write in (log.debug, log.info, log.warning, log.error, log.critical):
        write("x")
    assert [line["level"] for line in flush(memory)] == ["INFO", "WARNING", "ERROR", "CRITICAL"]


def test_bound_fields_last_as_long_as_their_block(memory: Memory) -> None:
    """They nest, None is left out, and the line's own fields win."""
    with bind(tenant_id="t", user_id=7, nothing=None):
        with bind(step=1):
            log.info("inner", tenant_id="own")
        log.info("outer")
    log.info("after")
    inner, outer, after = flush(memory)
    assert (inner["tenant_id"], inner["step"]) == ("own", 1)
    assert outer["tenant_id"] == "t"
    assert len(outer["user_id"]) == 64
    assert "step" not in outer
    assert "nothing" not in outer
    assert "tenant_id" not in after


def test_fields_cannot_hide_the_lines_own_keys(memory: Memory) -> None:
    """Any name can be a field."""
    names = {
        "level": 1,
        "message": "m",
        "self": 2,
        "event": 3,
        "timestamp": 4,
        "component": 5,
        "trace_id": "6",
        "method": "GET",
    }
    log.info("Real", **names)
    [line] = flush(memory)
    assert (line["message"], line["level"], line["component"], line["event"], line["self"]) == (
        "Real",
        "INFO",
        "LLM",
        3,
        2,
    )
    assert (line["field_message"], line["field_level"], line["field_trace_id"], line["method"]) == (
        "m",
        1,
        "6",
        "GET",
    )


def test_values_of_any_kind_can_be_logged_and_are_masked(memory: Memory) -> None:
    """Objects are shown as they were at the time; what JSON cannot hold is replaced."""

    class Odd:
        def __str__(self) -> str:
            raise RuntimeError("no")

    changing = {"email": "user@example.com", "n": 1}
    log.info(
        "to user@example.com",
        changing=changing,
        odd=Odd(),
        path=Path("/x"),
        text="\ud800",
        big=2**70,
        small=-(2**65),
        nan=float("nan"),
        error=ValueError("api_key=abcdef123"),
        raw=b"\xff",
        password="x",
        **{"user@example.com": 1, "\ud801": 2},
    )
    changing["n"] = 2
    [line] = flush(memory)
    assert line["message"] == "to ***EMAIL_MASKED***"
    assert line["changing"] == {"email": "***EMAIL_MASKED***", "n": 1}
    assert (line["odd"], line["path"], line["text"], line["password"]) == (
        "***UNREADABLE***",
        "/x",
        "?",
        "***MASKED***",
    )
    assert line["error"] == "ValueError: api_key=***MASKED***"
    assert line["nan"] is None
    assert line["***EMAIL_MASKED***"] == 1


def test_an_exception_is_described(memory: Memory) -> None:
    """By type, text and stack, all masked, however it was handed over."""
    try:
        raise ValueError("api_key=sk-1234567890abcdef")
    except ValueError as error:
        log.error("Failed", exc=error)
        log.error("Failed", exc_info=True)
        log.error("Failed", exc_info=error)
    for line in flush(memory):
        assert (line["error_type"], line["error"]) == ("ValueError", "api_key=***MASKED***")
        assert "test_an_exception_is_described" in line["stack"]
        assert "1234567890" not in json.dumps(line)


def test_a_line_that_is_too_long_is_cut(memory: Memory) -> None:
    """Its keys stay."""
    log.info("Long", **{f"field{number}": "x" * 15_000 for number in range(20)})
    [line] = flush(memory)
    assert line["message"] == "Long"
    assert line["bytes"] > 200_000
    assert len(memory.raw[0]) < 1000


def test_libraries_go_through_the_same_pipe(memory: Memory) -> None:
    """The standard library and structlog, masked, with their logger's name as the component."""
    logging.getLogger("uvicorn.error").info("Started at %s", "redis://:pw123456@redis:6379")
    [handler] = [
        each for each in logging.getLogger().handlers if type(each).__module__.startswith("telemetry")
    ]
    handler.handle(logging.LogRecord("some.library", 30, "", 0, "wrong %d arguments", ("x",), None))
    logging.getLogger("httpx").info("HTTP Request")
    structlog.get_logger().warning("From structlog", component="S", password="x")
    structlog.get_logger().debug("below")
    try:
        raise KeyError("a")
    except KeyError:
        logging.getLogger("lib").exception("Failed")
    started, wrong, from_structlog, failed = flush(memory)
    assert (started["component"], started["message"]) == (
        "uvicorn.error",
        "Started at redis://***CREDENTIALS_MASKED***@redis:6379",
    )
    assert wrong["message"] == "wrong %d arguments"
    assert (from_structlog["component"], from_structlog["password"]) == ("S", "***MASKED***")
    assert (failed["level"], failed["error_type"]) == ("ERROR", "KeyError")


def test_uvicorns_own_handlers_are_replaced() -> None:
    """Each line is written once, as JSON."""
    uvicorn = logging.getLogger("uvicorn")
    uvicorn.addHandler(logging.StreamHandler())
    uvicorn.propagate = False
    pipelines = [configure(SETTINGS, sinks=[Memory()]) for _ in range(3)]
    assert uvicorn.handlers == []
    assert uvicorn.propagate
    assert not logging.getLogger("uvicorn.access").hasHandlers()
    assert (
        sum(type(handler).__module__.startswith("telemetry") for handler in logging.getLogger().handlers) == 1
    )
    for pipeline in pipelines:
        pipeline.close()


def test_the_exporters_complaints_are_written_once_a_minute() -> None:
    """A dead collector would fill the log; other loggers are not limited."""
    now = 0.0
    limit = RepeatFilter(clock=lambda: now)

    def admits(name: str, message: str) -> bool:
        return limit.admits(logging.LogRecord(name, 30, "", 0, message, None, None))

    exporter = "opentelemetry.exporter.otlp"
    assert [admits(exporter, "a"), admits(exporter, "a"), admits(exporter, "b")] == [True, False, True]
    assert admits("lib", "a")
    assert admits("lib", "a")
    now = 61.0
    assert admits(exporter, "a")
    assert not admits(exporter, "a")


def test_a_sink_that_hangs_blocks_nobody_and_the_loss_is_counted() -> None:
    """The queue is bounded, and closing gives up in time."""
    memory, losses = Memory(), Losses()
    memory.open.clear()
    pipeline = Pipeline(SETTINGS, [memory], dropped=losses, capacity=100)
    begun = time.perf_counter()
    for number in range(1000):
        pipeline.emit(20, "c", "m", {"n": number})
    assert time.perf_counter() - begun < 0.5
    assert losses.seen["queue_full"] >= 1000 - 100 - 512
    assert not pipeline.flush(0.1)
    begun = time.perf_counter()
    pipeline.close(0.3)
    assert time.perf_counter() - begun < 2
    memory.open.set()


def test_lines_after_the_end_are_counted() -> None:
    """They are lost, but not unheard of."""
    losses = Losses()
    pipeline = Pipeline(SETTINGS, [Memory()], dropped=losses)
    pipeline.close()
    pipeline.emit(20, "c", "m", {})
    assert losses.seen == {"shutdown": 1}


def test_one_sink_that_fails_does_not_keep_the_other_from_writing() -> None:
    """A full disk, for one."""
    memory, losses = Memory(), Losses()
    full = FileSink(Path("/dev/full"), max_bytes=10**9)
    pipeline = Pipeline(SETTINGS, [full, memory], dropped=losses)
    pipeline.emit(20, "c", "m", {})
    assert pipeline.flush()
    assert losses.seen == {"write_failed": 1}
    assert len(memory.raw) == 1
    pipeline.close()


def test_a_broken_pipe_is_a_counted_loss() -> None:
    """The reader of standard output went away."""
    reading, writing = os.pipe()
    os.close(reading)
    losses = Losses()
    with os.fdopen(writing, "w") as stream:
        pipeline = Pipeline(SETTINGS, [StdoutSink(stream)], dropped=losses)
        pipeline.emit(20, "c", "m", {})
        assert pipeline.flush()
        pipeline.close()
    assert losses.seen == {"write_failed": 1}


def test_a_full_pipe_holds_up_only_the_writer() -> None:
    """And what was read of it is whole lines, of which none is lost once it is read again."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    losses = Losses()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading, "rb") as reader:
        pipeline = Pipeline(SETTINGS, [StdoutSink(stream)], dropped=losses)
        for number in range(200):
            pipeline.emit(20, "c", "m", {"n": number})
        assert not pipeline.flush(0.2)
        lines = [json.loads(reader.readline()) for _ in range(200)]
        assert [line["n"] for line in lines] == list(range(200))
        pipeline.close()
    assert losses.seen == {}


def test_a_file_is_rotated_by_size_and_keeps_one_backup(tmp_path: Path) -> None:
    """No line is lost or cut on the way."""
    path = tmp_path / "logs" / "shop.log"
    sink = FileSink(path, max_bytes=1000)
    for number in range(50):
        sink.write([json.dumps({"n": number, "x": "y" * 80}).encode() + b"\n"])
    sink.close()
    assert sorted(each.name for each in path.parent.iterdir()) == ["shop.log", "shop.log.1"]
    backup, current = (
        [json.loads(line)["n"] for line in each.read_text().splitlines()]
        for each in (path.with_name("shop.log.1"), path)
    )
    assert backup + current == list(range(backup[0], 50))
    assert path.stat().st_size <= 1100


def test_a_file_that_was_moved_or_deleted_is_opened_again(tmp_path: Path) -> None:
    """As logrotate does it."""
    path = tmp_path / "shop.log"
    sink = FileSink(path, max_bytes=10**6)
    sink.write([b"1\n"])
    path.rename(tmp_path / "moved.log")
    sink.write([b"2\n"])
    assert path.read_text() == "2\n"
    path.unlink()
    sink.write([b"3\n"])
    sink.close()
    assert path.read_text() == "3\n"


def test_several_workers_may_share_a_file(tmp_path: Path) -> None:
    """They rotate it once, and their lines stay whole."""
    path = tmp_path / "shop.log"
    sinks = [FileSink(path, max_bytes=5000) for _ in range(4)]

    def work(sink: FileSink, name: int) -> None:
        for number in range(100):
            sink.write([json.dumps({"worker": name, "n": number}).encode() + b"\n"])

    threads = [threading.Thread(target=work, args=(sink, name)) for name, sink in enumerate(sinks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for sink in sinks:
        sink.close()
    for each in tmp_path.iterdir():
        assert all(json.loads(line) for line in each.read_text().splitlines())


SCRIPT = """
import os, sys
from telemetry.app import Telemetry
from telemetry.logs import get_logger
from telemetry.settings import TelemetrySettings
telemetry = Telemetry.start(TelemetrySettings.from_environment(os.environ, service="script"))
get_logger("main").info("Last words", n=1)
if sys.argv[1] == "raise":
    raise RuntimeError("gone")
"""


@pytest.mark.parametrize("end", ["return", "raise"])
def test_the_last_lines_are_written_when_the_process_ends(tmp_path: Path, end: str) -> None:
    """To standard output and to LOG_FILE alike, with nothing else on either."""
    path = tmp_path / "script.log"
    environment = {**os.environ, "LOG_FILE": str(path), "OTEL_TRACES_EXPORTER": "none"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, end],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert [json.loads(line)["message"] for line in done.stdout.splitlines()] == ["Last words"]
    assert path.read_text() == done.stdout


def test_a_process_whose_output_is_not_read_still_ends() -> None:
    """It gives up after its few seconds."""
    environment = {**os.environ, "OTEL_TRACES_EXPORTER": "none"}
    script = SCRIPT + "\nfor number in range(5000): get_logger('main').info('More', text='x' * 100)\n"
    begun = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", script, "return"], env=environment, stdout=subprocess.PIPE
    ) as process:
        poll_until(lambda: process.poll() is not None, "the process ends", 30)
        assert process.returncode == 0
    assert time.perf_counter() - begun < 20


def test_lines_inside_a_span_bear_its_ids(site: Any) -> None:
    """Those of the innermost one."""
    with span("outer") as outer, span("inner") as inner:
        log.info("here")
    [line] = site.lines()
    assert line["trace_id"] == outer.trace_id == inner.trace_id
    assert line["span_id"] == inner.span_id


def test_masking_can_be_switched_off_and_the_log_says_so() -> None:
    """The first line is an error; a secret and a field that names one are written as they are."""
    sink = Memory()
    pipeline = configure(TelemetrySettings(masking=False), sinks=[sink])
    try:
        log.info("Paid with 4539578763621486", password="hunter2", user="a@example.com")
        assert pipeline.flush()
    finally:
        pipeline.close()
        set_masking(on=True)
    first, second = sink.lines
    assert first["level"] == "ERROR"
    assert "Masking is off" in first["message"]
    assert "4539578763621486" in second["message"]
    assert (second["password"], second["user"]) == ("hunter2", "a@example.com")
    again = Memory()
    pipeline = configure(SETTINGS, sinks=[again])
    log.info("Paid with 4539578763621486", password="hunter2")
    pipeline.close()
    assert "4539578763621486" not in str(again.lines)
    assert "hunter2" not in str(again.lines)
