"""`python -m loadtest.bench.sentry`: P95 of fds with a dead SENTRY_DSN by that without, on a running stack.

Four fds processes beside the stack's own take the same payments in turns of a second or two: two without a
DSN, whose ratio is the noise, one whose DSN is a closed port, and one whose DSN never answers. First all goes
well; then every evaluation meets an exception that is reported (fault cti_down).
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

import httpx

from firedrill.errors import FiredrillError
from firedrill.stack import Stack, current
from loadtest.bench.fds_process import KEY, closed_port, dsn_of, fds_beside, silent_port
from loadtest.fds_requests import drill_stream

PER_TURN, PER_SECOND = 40, 25.0
WARM_UP = 60
FIRST = "without a DSN"
PEERS = ("without, again", "closed port", "never answers")


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 1 without a stack."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.bench.sentry", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="turns of each process (20)")
    rounds: int = parser.parse_args(arguments).rounds
    try:
        stack = current()
    except FiredrillError as error:
        print(error, file=sys.stderr)
        return 1
    with ExitStack() as opened, tempfile.TemporaryDirectory() as folder:
        urls = _start(opened, stack, Path(folder))
        for name, fault in (("no error", None), ("an error in each evaluation", "cti_down")):
            _show(name, _measure(urls, rounds, fault))
        for process, url in urls.items():
            print(f"{process:16} {json.dumps(_counted(url))}")
    return 0


def _start(opened: ExitStack, stack: Stack, folder: Path) -> Mapping[str, str]:
    dead = (opened.enter_context(closed_port()), opened.enter_context(silent_port()))
    dsns = dict(zip((FIRST, *PEERS), ("", "", *map(dsn_of, dead)), strict=True))
    return {
        name: opened.enter_context(fds_beside(stack, folder / str(number), dsn=dsn))
        for number, (name, dsn) in enumerate(dsns.items())
    }


def _measure(urls: Mapping[str, str], rounds: int, fault: str | None) -> Mapping[str, list[list[float]]]:
    """Milliseconds by process and round; who begins changes from round to round."""
    taken: dict[str, list[list[float]]] = {name: [] for name in urls}
    with httpx.Client(trust_env=False, timeout=10.0) as http:
        for url in urls.values():
            if fault is not None:
                _put(http, url, fault)
            list(_turn(http, url, time.time_ns(), WARM_UP))
        for number in range(rounds):
            seed = time.time_ns()  # one for all four: they are asked the same
            for name in itertools.islice(itertools.cycle(urls), number % 4, number % 4 + 4):
                taken[name].append(list(_turn(http, urls[name], seed, PER_TURN)))
    return taken


def _put(http: httpx.Client, url: str, fault: str) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    answer = http.put(f"{url}/faults/{fault}", json={"ttl_seconds": 3600}, headers=headers)
    answer.raise_for_status()


def _turn(http: httpx.Client, url: str, seed: int, count: int) -> Iterator[float]:
    """Milliseconds of each of `count` payments at an even pace; each must be evaluated."""
    begun, port = time.perf_counter(), httpx.URL(url).port
    for number, request in enumerate(itertools.islice(drill_stream(seed), count)):
        assert isinstance(request.body, dict)
        body = {**request.body, "transaction_id": f"{port}-{request.body['transaction_id']}"[:64]}
        time.sleep(max(0.0, begun + number / PER_SECOND - time.perf_counter()))
        sent = time.perf_counter()
        http.post(f"{url}{request.path}", json=body).raise_for_status()
        yield (time.perf_counter() - sent) * 1000


def _show(name: str, taken: Mapping[str, list[list[float]]]) -> None:
    """P95 of all, and the ratios of P95 round by round: their median, and between which half of them lie."""
    print(f"{name}:")
    base = [_p95(one) for one in taken[FIRST]]
    for process, turns in taken.items():
        ratios = [_p95(one) / other for one, other in zip(turns, base, strict=True)]
        low, _, high = quantiles(ratios, n=4)
        flat = [each for turn in turns for each in turn]
        print(
            f"  {process:16} P50 {median(flat):6.2f} ms  P95 {_p95(flat):6.2f} ms"
            f"  ratio {median(ratios):.3f} ({low:.3f} to {high:.3f})"
        )


def _p95(values: Sequence[float]) -> float:
    return quantiles(values, n=20, method="inclusive")[-1]


def _counted(url: str) -> Mapping[str, float]:
    """What became of the process's events."""
    found = {}
    for line in httpx.get(f"{url}/metrics", trust_env=False).text.splitlines():
        if line.startswith(("telemetry_events_sent_total", "telemetry_events_dropped_total")):
            name, _, value = line.rpartition(" ")
            if float(value):
                found[name] = float(value)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
