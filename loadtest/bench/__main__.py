"""`python -m loadtest.bench`: kept throughput, import times and, with --stack, a running stack's delays."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from firedrill.binaries import locate
from firedrill.errors import FiredrillError
from firedrill.local.layout import cache_folder, is_root
from loadtest.bench import client, environment, imports, report, running_stack
from loadtest.bench.cases import CASES
from loadtest.bench.processes import can_pin
from loadtest.bench.throughput import Bench

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "reports" / "bench"


def main(arguments: Sequence[str]) -> int:
    """Measure what is asked for, print it and write it to reports/bench; 1 when that fails."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="how often each case is measured (2)")
    parser.add_argument("--seconds", type=int, default=8, help="how many in each round (8)")
    parser.add_argument(
        "--only", nargs="*", choices=[case.name for case in CASES], help="these cases, and bare"
    )
    parser.add_argument("--stack", action="store_true", help="measure the running stack too")
    parser.add_argument("--no-throughput", action="store_true", help="leave the cases out")
    chosen = parser.parse_args(arguments)
    try:
        found: dict[str, object] = {}
        if not chosen.no_throughput:
            found["throughput"] = _throughput(chosen.rounds, chosen.seconds, chosen.only)
        found["imports"] = imports.show(ROOT)
        if chosen.stack:
            found["stack"] = running_stack.show()
    except (FiredrillError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    _write(found)
    return 0


def _throughput(rounds: int, seconds: int, only: Sequence[str] | None) -> dict[str, object]:
    collector = locate("otelcol")
    if collector is None:
        raise RuntimeError("the Collector is not built\n  why: spans need a receiver\n  do:  firedrill build")
    python = environment.python(ROOT, cache_folder(os.environ, root=is_root()))
    cases = [case for case in CASES if not only or case.name in {*only, report.REFERENCE}]
    if client.kind() != "wrk":
        print(
            "wrk is not installed: our own client may be slower than the server (Debian: apt-get install wrk)"
        )
    bench = Bench(ROOT, python, collector, seconds)
    done = []
    for each in bench.rounds(cases, rounds):
        print(f"  {each.case:16}{each.rate:8.0f} req/s  {each.cpu_microseconds:6.1f} us CPU", file=sys.stderr)
        done.append(each)
    found = report.summaries(cases, done)
    print(report.table(found))
    conditions = {
        "client": client.kind(),
        "connections": client.CONNECTIONS,
        "seconds": seconds,
        "pinned": can_pin(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "machine": platform.platform(),
    }
    return report.document(found, done, conditions)


def _write(found: dict[str, object]) -> None:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = OUTPUT / f"{now:%Y%m%dT%H%M%SZ}.json"
    path.write_text(json.dumps({"measured": now.isoformat(timespec="seconds"), **found}, indent=2) + "\n")
    print(f"written: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
