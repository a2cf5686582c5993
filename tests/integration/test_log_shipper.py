"""Promtail and the Collector read the same files: the same lines with the same labels, metadata and times."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from firedrill.binaries import locate
from firedrill.clients import Loki, open_http
from firedrill.clients.http import BackendError
from firedrill.clients.loki import LogLine
from firedrill.local.layout import Layout
from firedrill.local.plan import Plan, make_plan
from firedrill.settings import read_settings
from firedrill.switches import log_shipper
from firedrill.wait import poll_until

ROOT = Path(__file__).parents[2]
# Beside the session's stack, of which no port meets one of theirs; below 32768 like its ports.
OFFSETS = {"promtail": 2712, "collector": 2729}
START_SECONDS, ARRIVE_SECONDS = 60.0, 60.0
TRACE, SPAN = "5b8aa5a2d2c872e8321cf37308d69df2", "051581bf3cb55c13"
pytestmark = pytest.mark.skipif(
    not all(locate(name) for name in ("loki", "promtail", "otelcol")),
    reason="loki, promtail and otelcol are not all here; get them: firedrill build",
)

Seen = tuple[int, str, frozenset[tuple[str, str]], frozenset[tuple[str, str]]]


@dataclass
class Shipping:
    """A Loki and one shipper, as the local runtime would start them, with a state folder of their own."""

    value: str
    folder: Path
    http: httpx.Client
    began: float = field(default_factory=time.time)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def shipper(self) -> str:
        """The service that ships."""
        return log_shipper({"LOGS": self.value})

    @property
    def plan(self) -> Plan:
        """What the local runtime would run."""
        environ = {"LOGS": self.value, "PORT_OFFSET": str(OFFSETS[self.value]), "PACE": "production"}
        settings = read_settings(ROOT, environ)
        return make_plan(
            ROOT, settings, Layout(self.folder), pace=lambda path, text: text, find=lambda name: None
        )

    @property
    def loki(self) -> Loki:
        """Its Loki."""
        return Loki(f"http://127.0.0.1:{3100 + OFFSETS[self.value]}", http=self.http)

    def log(self, name: str) -> Path:
        """A log file by its name, such as services/fds.log or own/shop.log."""
        folder, _, file = name.partition("/")
        return self.folder / {"services": "data/service-logs", "own": "own/logs"}[folder] / file

    def write(self, name: str, *lines: str) -> None:
        """Append lines to a log file."""
        with self.log(name).open("a", encoding="utf-8") as stream:
            stream.writelines(f"{line}\n" for line in lines)

    def prepare(self) -> None:
        """Folders and configs, as the supervisor makes them."""
        plan = self.plan
        for folder in plan.folders:
            folder.mkdir(parents=True, exist_ok=True)
        for file in plan.files():
            file.write()

    def start(self, name: str) -> None:
        """Start a process and wait until it is ready."""
        process = self.plan.processes[name]
        binary = locate(process.program.name)
        assert binary is not None
        environ = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "TMPDIR": str(self.folder)}
        with (self.folder / f"{name}.out").open("ab") as out:
            self.processes[name] = subprocess.Popen(
                [str(binary), *process.arguments], env=environ, stdout=out, stderr=out, start_new_session=True
            )
        assert process.probe is not None
        url = f"http://127.0.0.1:{process.probe.port}{process.probe.path}"

        def ready() -> bool:
            assert self.processes[name].poll() is None, (self.folder / f"{name}.out").read_text()[-3000:]
            try:
                return self.http.get(url).is_success
            except httpx.HTTPError:
                return False

        poll_until(ready, f"{name} ready", START_SECONDS)

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End a process and wait for it."""
        process = self.processes.pop(name)
        process.send_signal(how)
        process.wait(timeout=30)

    def lines(self) -> list[LogLine]:
        """Everything that its Loki has."""
        selectors = ('{service=~".+"}', '{level=~".+", service=""}')
        found: list[LogLine] = []
        for selector in selectors:
            answer = self.loki.search(selector, start=self.began - 7200, end=time.time() + 60, limit=5000)
            found += answer.lines
        return found

    def await_texts(self, wanted: set[str]) -> Counter[str]:
        """How often each line is there, once all are."""

        def arrived() -> Counter[str] | None:
            try:
                found = Counter(line.text for line in self.lines())
            except BackendError:
                return None
            return found if wanted <= found.keys() else None

        found = poll_until(arrived, f"{len(wanted)} lines in Loki", ARRIVE_SECONDS)
        assert found is not None
        return found


@contextmanager
def shipping(value: str) -> Iterator[Shipping]:
    """A Loki and one shipper, ended at the end."""
    with tempfile.TemporaryDirectory(prefix=f"firedrill-{value}-") as name, open_http() as http:
        Path(name).chmod(0o755)
        made = Shipping(value, Path(name), http)
        made.prepare()
        try:
            made.start("loki")
            made.start(made.shipper)
            yield made
        finally:
            for process in made.processes.values():
                process.kill()
                process.wait(timeout=30)


def line(message: str, *, ago: float = 60.0, **fields: object) -> str:
    """A line as telemetry writes it, `ago` seconds old, to the microsecond."""
    at = time.time() - ago
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at * 1e6) % 1_000_000:06}Z"
    head = {"timestamp": stamp, "level": "INFO", "service": "fds", "system": "shopfds", "component": "http"}
    return json.dumps({**head, "trace_id": "", "span_id": "", "message": message, **fields})


def samples() -> dict[str, list[str]]:
    """Lines of every kind that services and foreign programs write."""
    ids: dict[str, Any] = {"trace_id": TRACE, "span_id": SPAN}
    return {
        "services/fds.log": [
            line("with everything", **ids, log_type="http", tenant_id="t1", request_id="r-1", user_id="0af3"),
            line("outside a span"),
            line("more fields", **ids, endpoint="/x", status=200, nested={"a": [1, 2]}, text='"quoted"\t€'),
            line("a level of its own", level="ERROR", exception="Traceback\n  File"),
            line("numbers and nothing", request_id=12345678901, tenant_id=None, user_id=1.5),
            line("an older line", ago=3000.0, **ids),
            line("padded", **ids) + "   ",
        ],
        "services/judgment.log": [line("another service", service="judgment", system="ai-factory", **ids)],
        "own/shop.log": [
            line("keys of ours", service="liar", system="liar", **ids),
            "not JSON at all, 100 %",
            '{"broken": ',
            '["a", "list"]',
            "    indented and trailing   ",
            json.dumps({"message": "no time of its own", "level": "WARNING", **ids}),
            json.dumps({"message": "a time that is none", "timestamp": "yesterday"}),
            json.dumps({"message": "a name that is not ours", "log.file.name": "x.log", "filename": "y"}),
        ],
        "own/cart-2.log": [line("of another file", component="cart", **ids)],
    }


def seen(lines: list[LogLine], timed: frozenset[str]) -> Counter[Seen]:
    """What a line is in Loki; the time only of lines that bring one."""
    return Counter(
        (
            one.time if one.text in timed else 0,
            one.text,
            frozenset(one.labels.items()),
            frozenset(one.metadata.items()),
        )
        for one in lines
    )


def test_both_give_the_same_labels_metadata_and_times() -> None:
    """Line by line, for JSON of ours, JSON of others and text; nothing more and nothing less."""
    texts = samples()
    wanted = {text for own in texts.values() for text in own}
    timed = frozenset(text for text in wanted if '"timestamp": "2' in text)
    found = {}
    for value in OFFSETS:
        with shipping(value) as here:
            for name, own in texts.items():
                here.write(name, *own)
            here.await_texts(wanted)
            found[value] = seen(here.lines(), timed)
            assert set(here.loki.labels(start=here.began - 7200, end=time.time() + 60)) <= {
                "service", "system", "level", "component", "log_type",
            }  # fmt: skip
    assert found["collector"] - found["promtail"] == Counter()
    assert found["promtail"] - found["collector"] == Counter()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=["stopped", "killed"])
def test_the_collector_goes_on_where_it_was(how: signal.Signals) -> None:
    """Stopped or killed, with lines written and a file rotated meanwhile: all there, each once."""
    with shipping("collector") as here:
        first = [line(f"first {number}", ago=50 - number / 100) for number in range(300)]
        here.write("services/fds.log", *first)
        here.await_texts(set(first))
        here.end(here.shipper, how)
        second = [line(f"second {number}", ago=40 - number / 100) for number in range(300)]
        here.write("services/fds.log", *second)
        here.start(here.shipper)
        here.await_texts(set(second))
        here.log("services/fds.log").rename(here.log("services/fds.log.1"))
        third = [line(f"third {number}", ago=30 - number / 100) for number in range(300)]
        here.write("services/fds.log", *third)
        found = here.await_texts({*first, *second, *third})
    assert set(found.values()) == {1}
    assert len(found) == 900


def test_the_collector_waits_for_loki() -> None:
    """While Loki is away lines are kept, over a kill of the Collector too; afterwards each is there once."""
    with shipping("collector") as here:
        before = [line(f"before {number}", ago=50 - number / 100) for number in range(50)]
        here.write("services/fds.log", *before)
        here.await_texts(set(before))
        here.end("loki")
        during = [line(f"during {number}", ago=40 - number / 100) for number in range(500)]
        here.write("services/fds.log", *during)
        here.end(here.shipper, signal.SIGKILL)
        here.start(here.shipper)
        here.write("services/fds.log", last := line("the last"))
        here.start("loki")
        found = here.await_texts({*before, *during, last})
    assert set(found.values()) == {1}
