"""When each container started and when it was first healthy, by the engine's events."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.compose.containers import SERVICE
from tests.compose.engine import Engine


@dataclass
class Times:
    """Unix seconds by service; `healthy` lacks those whose health nobody checks."""

    started: dict[str, float] = field(default_factory=dict)
    healthy: dict[str, float] = field(default_factory=dict)

    def take(self, line: str) -> None:
        """One event as a line of JSON."""
        event = json.loads(line)
        name, at = event["Actor"]["Attributes"].get(SERVICE, ""), event["timeNano"] / 1e9
        if event["Action"] == "start":
            self.started.setdefault(name, at)
        elif event["Action"] == "health_status: healthy":
            self.healthy.setdefault(name, at)


@contextmanager
def watched(engine: Engine) -> Iterator[Times]:
    """Take note while the block runs."""
    times = Times()
    child = subprocess.Popen(
        ["docker", "events", "--format", "{{json .}}", "--filter", "type=container",
         "--filter", "event=start", "--filter", "event=health_status"],
        env=dict(engine.environ), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    stream = child.stdout
    assert stream is not None

    def read() -> None:
        for line in stream:
            times.take(line)

    thread = threading.Thread(target=read, name="events")
    thread.start()
    try:
        yield times
    finally:
        child.terminate()
        child.wait()
        thread.join()
        stream.close()
