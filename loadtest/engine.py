"""Runs a plan with Locust as a library: users, shape, ticks, page and reports."""

import itertools
import resource
import signal
import time
from collections.abc import Callable, Mapping

import gevent
from gevent.event import Event
from locust import LoadTestShape
from locust.env import Environment
from locust.event import Events
from locust.runners import STATE_STOPPED
from locust.stats import stats_history

from loadtest.arrivals import Gate, arrivals
from loadtest.kinds import Circumstances, Kind
from loadtest.plan import Plan
from loadtest.reports import History, write_reports
from loadtest.review_requests import Ledger
from loadtest.tally import Tally
from loadtest.users import Flow, user_class

DRAIN_SECONDS = 15.0  # more than a request's time-out: what is under way at the end is answered and counted
SPAWNED_PER_SECOND = 100.0
PAGE_STAYS_SECONDS = 60.0

Tell = Callable[[str, Mapping[str, object]], None]


class Engine:
    """One run; made once, run once."""

    def __init__(self, plan: Plan, tell: Tell) -> None:
        self._plan, self._tell = plan, tell
        self._tally, self._history = Tally(), History(plan.folder)
        self._ledger = Ledger()
        self._began = time.perf_counter()
        self._asked, self._due = 0, arrivals(plan.run.rate_at, plan.run.end)
        self._next_due = next(self._due, None)
        self._ended = Event()  # by a signal
        name = format(int(time.time()), "x")
        self._flows = {
            kind: Flow(kind, self._gate(part), self._tally, self._circumstances(name))
            for kind, part in plan.kinds.items()
        }
        self._shape = _Users(plan)
        self._environment = Environment(
            user_classes=[self._weighted(kind) for kind in plan.kinds],
            shape_class=self._shape,
            events=Events(),  # type: ignore[no-untyped-call]  # as all of Locust below
            stop_timeout=DRAIN_SECONDS,
        )
        self._runner = self._environment.create_local_runner()

    def run(self) -> None:
        """Run to the end of the plan or until a signal, tell the result, and keep the page for a while."""
        page = (
            self._environment.create_web_ui("127.0.0.1", self._plan.ui_port) if self._plan.ui_port else None
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            gevent.signal_handler(number, self._stop)
        aside = [gevent.spawn(stats_history, self._runner)]
        self._start()
        aside.append(gevent.spawn(self._tick_for_ever))
        while self._runner.state != STATE_STOPPED:  # requests under way are waited for
            gevent.sleep(0.1)
        gevent.killall(aside)
        self._tick()
        write_reports(self._environment, self._plan.folder)
        self._tell("result", self._result())
        if page is not None:
            self._ended.wait(PAGE_STAYS_SECONDS)
            page.stop()  # type: ignore[no-untyped-call]

    def _start(self) -> None:
        self._began = time.perf_counter()
        for kind, part in self._plan.kinds.items():
            self._flows[kind].gate = self._gate(part)
        self._runner.start_shape()

    def _gate(self, part: float) -> Gate:
        rate_at = self._plan.run.rate_at
        return Gate(lambda second: rate_at(second) * part, self._plan.run.end, clock=time.perf_counter)

    def _circumstances(self, name: str) -> Callable[[int], Circumstances]:
        ledger = self._ledger

        def of(user: int) -> Circumstances:
            return Circumstances(self._plan.seed, user, name, self._fraud, ledger)

        return of

    def _fraud(self) -> float:
        return self._plan.run.fraud_at(self._elapsed())

    def _weighted(self, kind: Kind) -> type:
        refusals = self._plan.run.shape.refusals
        made = user_class(self._flows[kind], self._plan.urls[kind.service], refusals)
        made.weight = kind.users(self._plan.run.rate * self._plan.kinds[kind])
        return made

    def _elapsed(self) -> float:
        return time.perf_counter() - self._began

    def _stop(self) -> None:
        self._ended.set()
        self._shape.over = True  # it looks once a second

    def _tick_for_ever(self) -> None:
        for number in itertools.count(1):
            gevent.sleep(max(0.0, self._began + number - time.perf_counter()))
            try:
                self._tick()
            except BrokenPipeError:  # whoever asked for the run is gone
                self._stop()
                return

    def _tick(self) -> None:
        values = self._counts()
        self._history.add(values)
        self._tell("tick", values)

    def _counts(self) -> dict[str, object]:
        elapsed = self._elapsed()
        while self._next_due is not None and self._next_due <= elapsed:
            self._asked += 1
            self._next_due = next(self._due, None)
        flows = self._flows.values()
        return {
            "elapsed": round(min(elapsed, self._plan.run.end), 2),
            "unix": round(time.time(), 2),
            "users": self._runner.user_count,
            "busy": sum(flow.busy for flow in flows),
            "rate": round(self._plan.run.rate_at(elapsed), 2),
            "asked": self._asked,
            "sent": sum(flow.sent for flow in flows),
            "done": self._tally.count(),
            "declined": self._tally.count("declined"),
            "failed": self._tally.count("failed"),
            "p95_ms": self._tally.recent_p95(),
            "cpu": round(_cpu_seconds(), 2),
        }

    def _result(self) -> dict[str, object]:
        counts = self._counts()
        del counts["p95_ms"], counts["rate"], counts["busy"], counts["users"]
        return {
            **counts,
            "stopped": self._ended.is_set(),
            "missed": sum(flow.gate.missed for flow in self._flows.values()),
            "errors": [f"{one['msg']} ({one['count']} times)" for one in self._runner.exceptions.values()],
            "failures": dict(self._tally.failures.most_common(20)),
            "routes": {name: route.as_dict() for name, route in sorted(self._tally.routes.items())},
            "total": self._tally.total().as_dict(),
        }


class _Users(LoadTestShape):
    """As many users as the plan's rate takes; never fewer than before, for each holds a place in the flow."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._plan, self._most = plan, 1
        self.over = False

    def tick(self) -> tuple[int, float] | None:
        """The number of users now, None at the end; a run begun again on Locust's page ends at once."""
        second = self.get_run_time()  # type: ignore[no-untyped-call]
        self.over = self.over or second >= self._plan.run.end
        if self.over:
            return None
        self._most = max(self._most, self._plan.users(second))
        return self._most, SPAWNED_PER_SECOND


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
