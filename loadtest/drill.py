"""Traffic for a drill: an even rate for a bounded time, reported as one JSON line.

python -m loadtest.drill --target judgment --rate 10 --seconds 120
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from loadtest.drill_streams import STREAMS, service_of
from loadtest.request import Request
from loadtest.targets import DRILL_URLS, RefusedTrafficError, checked_url

HIGHEST_RATE = 200.0  # requests a second; two cores serve a few hundred, and a drill needs tens
LONGEST_SECONDS = 3600.0
IN_FLIGHT = 64  # above this a request is skipped and counted, so that a hanging service cannot pile up tasks
REQUEST_TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Summary:
    """What was asked for and what was done; rates in requests a second, started requests count as sent."""

    target: str
    asked_rate: float
    asked_seconds: float
    ran_seconds: float
    sent: int
    skipped: int
    stopped_early: bool
    statuses: Mapping[str, int]
    errors: Mapping[str, int]
    p50_ms: float | None
    p95_ms: float | None

    def as_json(self) -> str:
        """One line of JSON."""
        achieved = self.sent / self.ran_seconds if self.ran_seconds > 0 else 0.0
        return json.dumps({**self.__dict__, "achieved_rate": round(achieved, 3)}, sort_keys=True)


@dataclass
class _Tally:
    sent: int = 0
    skipped: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)


async def run(
    target: str,
    *,
    rate: float,
    seconds: float,
    url: str | None = None,
    seed: int = 7,
    stop: asyncio.Event | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Summary:
    """Send `rate` requests a second to `target` for `seconds` or until `stop` is set.

    Open loop: request n leaves at n / rate after the start, however slow the answers are; more than
    IN_FLIGHT unanswered requests are not sent but counted as skipped. A request that fails is counted by
    kind and raises nothing. RefusedTrafficError for a foreign host or a bound that is passed.
    """
    _check_bounds(target, rate, seconds)
    base = checked_url(url or DRILL_URLS[service_of(target)])
    tally, stopping = _Tally(), stop or asyncio.Event()
    started = time.monotonic()
    async with httpx.AsyncClient(
        base_url=base,
        timeout=REQUEST_TIMEOUT_SECONDS,
        trust_env=False,  # a proxy of the environment would take the load elsewhere
        limits=httpx.Limits(max_connections=IN_FLIGHT, max_keepalive_connections=IN_FLIGHT),
        transport=transport,
    ) as client:
        tasks: set[asyncio.Task[None]] = set()
        for number, request in enumerate(STREAMS[target](seed)):
            due = started + number / rate
            if due >= started + seconds or await _stopped_before(stopping, due):
                break
            if len(tasks) >= IN_FLIGHT:
                tally.skipped += 1
                continue
            tally.sent += 1
            task = asyncio.create_task(_send(client, request, tally))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await _stopped_before(stopping, started + seconds)
        ran = time.monotonic() - started
        await _finish(tasks, cancel=stopping.is_set())
    return _summary(target, rate, seconds, ran, tally, stopped_early=stopping.is_set())


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: 0 with the summary on standard output, 2 for a wrong argument."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.drill", description="Even traffic for a drill.")
    parser.add_argument("--target", required=True, choices=sorted(STREAMS))
    parser.add_argument("--rate", required=True, type=float, help="requests a second")
    parser.add_argument("--seconds", required=True, type=float, help="stops by itself after this time")
    parser.add_argument("--url", help="base URL; default: <SERVICE>_URL, else this machine's published port")
    parser.add_argument("--seed", type=int, help="same seed, same requests; default: new ones, never cached")
    parser.add_argument(
        "--while-stdin", action="store_true", help="stop when standard input ends, as with a pipe's writer"
    )
    asked = parser.parse_args(arguments)
    seed = asked.seed if asked.seed is not None else time.time_ns()
    url = asked.url or os.environ.get(f"{service_of(asked.target).upper()}_URL")
    try:
        summary = asyncio.run(
            _until_told(
                asked.target, asked.rate, asked.seconds, url=url, seed=seed, while_stdin=asked.while_stdin
            )
        )
    except RefusedTrafficError as error:
        print(error, file=sys.stderr)
        return 2
    print(summary.as_json(), flush=True)
    return 0


async def _until_told(
    target: str, rate: float, seconds: float, *, url: str | None, seed: int, while_stdin: bool
) -> Summary:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if while_stdin:
        await loop.connect_read_pipe(lambda: _AtEnd(stop), sys.stdin)
    return await run(target, rate=rate, seconds=seconds, url=url, seed=seed, stop=stop)


class _AtEnd(asyncio.Protocol):
    """Sets an event when the other end of the pipe is closed, as it is by the death of its process."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def eof_received(self) -> None:
        self._stop.set()


def _check_bounds(target: str, rate: float, seconds: float) -> None:
    if target not in STREAMS:
        raise RefusedTrafficError(f"no traffic for {target!r}; use one of: {', '.join(sorted(STREAMS))}")
    if not 0 < rate <= HIGHEST_RATE:
        raise RefusedTrafficError(
            f"rate {rate:g} is out of bounds; use more than 0, at most {HIGHEST_RATE:g}"
        )
    if not 0 < seconds <= LONGEST_SECONDS:
        raise RefusedTrafficError(
            f"{seconds:g} s is out of bounds; use more than 0, at most {LONGEST_SECONDS:g}"
        )


async def _stopped_before(stop: asyncio.Event, due: float) -> bool:
    left = due - time.monotonic()
    if left > 0 and not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), left)
    return stop.is_set()


async def _send(client: httpx.AsyncClient, request: Request, tally: _Tally) -> None:
    began = time.monotonic()
    try:
        answer = await client.request(
            request.method, request.path, json=request.body, headers=dict(request.headers)
        )
    except httpx.HTTPError as error:
        tally.errors[type(error).__name__] += 1
        return
    tally.statuses[str(answer.status_code)] += 1
    tally.milliseconds.append((time.monotonic() - began) * 1000)


async def _finish(tasks: set[asyncio.Task[None]], *, cancel: bool) -> None:
    if cancel:
        for task in tasks:
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _summary(
    target: str, rate: float, seconds: float, ran: float, tally: _Tally, *, stopped_early: bool
) -> Summary:
    times = sorted(tally.milliseconds)

    def quantile(share: float) -> float | None:
        return round(times[min(len(times) - 1, int(share * len(times)))], 1) if times else None

    return Summary(
        target=target,
        asked_rate=rate,
        asked_seconds=seconds,
        ran_seconds=round(ran, 3),
        sent=tally.sent,
        skipped=tally.skipped,
        stopped_early=stopped_early,
        statuses=dict(sorted(tally.statuses.items())),
        errors=dict(sorted(tally.errors.items())),
        p50_ms=quantile(0.5),
        p95_ms=quantile(0.95),
    )


if __name__ == "__main__":
    sys.exit(main())
