"""One bounded load run in a process of its own, told on standard output as JSON lines.

JUDGMENT_URL=http://127.0.0.1:8010 python -m loadtest.run --shape steady --folder reports/load/x

A user kind whose <SERVICE>_URL is not set is left out. Lines: one `plan`, a `tick` a second with counts since
the start, a `result`; or one `refused` and exit code 2. SIGTERM and SIGINT end a run early and still give
the result. The process is not niced: a generator that waits for the processor would measure itself.
"""

import argparse
import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtest.kinds import KINDS, Kind, taking_part
from loadtest.plan import Plan
from loadtest.shapes import Shape, planned
from loadtest.targets import RefusedTrafficError, named_urls
from loadtest.wave import in_a_wave


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 after a run, whatever failed in it; 2 for what is refused."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.run", description="One bounded load run.")
    parser.add_argument("--shape", default="steady")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--rate", type=float, help="the highest rate, requests a second")
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 1_000_000, help="same seed, same requests"
    )
    parser.add_argument("--folder", type=Path, required=True, help="for the CSV and HTML reports")
    parser.add_argument("--ui-port", type=int, help="show Locust's page on 127.0.0.1 at this port")
    asked = parser.parse_args(arguments)
    try:
        plan = _plan(asked, os.environ)
    except RefusedTrafficError as error:
        tell("refused", {"text": str(error)})
        return 2
    del sys.argv[1:]  # the page of Locust reads them too, and knows none of ours
    from loadtest.engine import Engine  # noqa: PLC0415 - gevent patches the process; only a run needs that

    tell("plan", plan.as_dict())
    Engine(plan, tell).run()
    return 0


def tell(kind: str, values: Mapping[str, object]) -> None:
    """Write one line."""
    print(json.dumps({"kind": kind, **values}), flush=True)


def _plan(asked: argparse.Namespace, environ: Mapping[str, str]) -> Plan:
    run = planned(asked.shape, seconds=asked.seconds, rate=asked.rate)
    urls = named_urls(environ)
    if asked.ui_port is not None:
        _require_free(asked.ui_port)
    kinds = taking_part(users_of(run.shape), urls, shop_only=run.shape.search)
    if not kinds:
        raise RefusedTrafficError(
            "there is nothing to send load to\n  why: no service with traffic is known\n"
            "  do:  set JUDGMENT_URL or FDS_URL, or use firedrill load"
        )
    return Plan(run, kinds, urls, asked.seed, asked.folder, asked.ui_port)


def users_of(shape: Shape) -> list[Kind]:
    """The kinds of users that take part in a shape."""
    wanted = [kind for kind in KINDS if not shape.kinds or kind.name in shape.kinds]
    return [in_a_wave(kind) for kind in wanted] if shape.wave else wanted


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise RefusedTrafficError(
                f"Locust's page cannot be shown\n  why: 127.0.0.1:{port}: {error.strerror}\n"
                "  do:  end what listens there (another load run?), or run without the page"
            ) from None


if __name__ == "__main__":
    sys.exit(main())
