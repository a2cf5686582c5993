"""The lower bound of a drill: the least time in which the loaded rule can fire and clear on the ideal series.

The rule itself is run by promtool on series that grow as the drill says (see ideal.py), so the bound knows of
windows, floors and `for` what Prometheus knows. A fault does not wait for a scrape and a scrape not for an
evaluation: how much of either is waited for depends on luck. So the series are laid out with the fault (and
the heal) at several moments between two scrapes, evaluations fall on the scrapes, and the best case is taken:
`fires` and `drains` are the least possible. With bad luck a whole scrape and a whole evaluation come on top:
`usual`. Where something may go wrong without the fault too (a request is slow by itself), a drill declares
the strongest that its series can be: `fires` takes that, `drains` the fault alone.
"""

import json
import math
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from firedrill import promtool
from firedrill.errors import CheckFailed
from firedrill.pace import format_duration, parse_duration

from .ideal import Course, History
from .model import Deadlines, Drill
from .needed import Needed, needed_rules
from .ports import LoadedRule, Timings

__all__ = ["Bound", "History", "lower_bound"]

PHASES = 5  # moments between two scrapes at which the fault is tried; the best case is found within a fifth
FEW_PHASES = 2  # where windows are long, a fraction of a scrape is a small part
LONG_SCRAPES = 200
_STATE = re.compile(r'alertstate="(\w+)"')
_TIME = re.compile(r"time: (\w+),")


@dataclass(frozen=True)
class Bound:
    """Seconds. `crosses`, `fires`: fault to condition true, to firing; `drains`: heal to no longer firing.

    None means that the ideal series never get there: the drill cannot pass.
    """

    scrape: float
    evaluation: float
    for_seconds: float
    group_wait: float
    group_interval: float
    crosses: float | None
    fires: float | None
    drains: float | None

    @property
    def notified(self) -> float | None:
        """Fault to firing notice, at the least."""
        return None if self.fires is None else self.fires + self.group_wait

    @property
    def usual(self) -> float | None:
        """The same with a whole scrape and a whole evaluation waited for."""
        return None if self.notified is None else self.notified + self.scrape + self.evaluation

    def cleared(self, *, late: float = 0.0, healed_after: float = 0.0) -> float | None:
        """Heal to resolved notice, which comes only at every group_interval after the firing notice.

        `healed_after` is the time from that notice to the heal; `late` the wait for scrape and evaluation.
        """
        if self.drains is None:
            return None
        ticks = math.ceil((healed_after + self.drains + late) / self.group_interval)
        return max(1, ticks) * self.group_interval - healed_after


def lower_bound(
    drill: Drill,
    rule: LoadedRule,
    timings: Timings,
    history: History,
    *,
    lasted: float | None = None,
    within: Deadlines | None = None,
    phases: int | None = None,
) -> Bound:
    """The bound of `drill` for the rule as it is loaded. Raises CheckFailed when promtool cannot run it.

    `lasted` is how long the fault was set, in seconds; without it, until the earliest firing notice. What
    would take longer than `within` has no bound. `phases` is at how many moments between two scrapes the
    fault is tried: with 1 it is quick, and up to a scrape too long.
    """
    trial = _Trial(drill, rule, timings, history, within=within, phases=phases)
    crosses, fires = trial.until("pending", "firing")
    drains = None if fires is None else trial.until_quiet(lasted or fires + timings.group_wait)
    return Bound(
        scrape=timings.scrape,
        evaluation=rule.evaluation_seconds,
        for_seconds=rule.for_seconds,
        group_wait=timings.group_wait,
        group_interval=timings.group_interval,
        crosses=crosses,
        fires=fires,
        drains=drains,
    )


class _Trial:
    """The rule on the ideal series, as promtool sees it; times are seconds from the series' start."""

    def __init__(
        self,
        drill: Drill,
        rule: LoadedRule,
        timings: Timings,
        history: History,
        *,
        within: Deadlines | None,
        phases: int | None,
    ) -> None:
        self._drill, self._rule, self._timings = drill, rule, timings
        self._needed, self._within = needed_rules(rule), within
        self._window = self._needed.longest_range + 4 * timings.scrape
        past = history.at_most(self._window)
        # Fires at the least: all goes wrong that can. Clears at the least: nothing was wrong but the fault.
        self._course = Course([one.alone() for one in drill.ideal], past)
        self._worst = Course([one.worst() for one in drill.ideal], past)
        count = phases or (FEW_PHASES if self._window > LONG_SCRAPES * timings.scrape else PHASES)
        self._shifts = [timings.scrape * phase / count for phase in range(count)]
        self._fault = self._up(self._window + timings.scrape)  # on a scrape; the shifts lie before it

    def until(self, *states: str) -> tuple[float | None, ...]:
        """Least seconds from the fault until the alert is in each of `states`, or further."""
        horizon = self._window + self._rule.for_seconds + self._course.slowest
        horizon = min(horizon, self._within.fire) if self._within else horizon
        runs = [(self._fault - shift, math.inf) for shift in self._shifts]
        seen = self._states(self._worst, runs, self._fault, horizon)
        return tuple(
            min(
                (
                    at - run[0]
                    for run, found in zip(runs, seen, strict=True)
                    for at in found
                    if _reached(found[at], state)
                ),
                default=None,
            )
            for state in states
        )

    def until_quiet(self, lasted: float) -> float | None:
        """Least seconds from a heal, `lasted` seconds after the fault, until the alert fires no more."""
        heal = self._up(self._fault + lasted)
        horizon = self._window + self._course.slowest
        horizon = min(horizon, self._within.clear) if self._within else horizon
        runs = [(heal - lasted - shift, heal - shift) for shift in self._shifts]
        seen = self._states(self._course, runs, heal, horizon)
        last = self._moments(heal, horizon)[-1]
        quiet = [
            max((at for at in found if found[at] == "firing"), default=heal - self._rule.evaluation_seconds)
            - run[1]
            for run, found in zip(runs, seen, strict=True)
            if found.get(last) != "firing"
        ]
        return max(0.0, min(quiet) + self._rule.evaluation_seconds) if quiet else None

    def _up(self, at: float) -> float:
        """The first scrape at or after `at`; a scrape is where an evaluation is, too."""
        step = max(self._timings.scrape, self._rule.evaluation_seconds)
        return math.ceil(at / step) * step

    def _moments(self, start: float, horizon: float) -> list[float]:
        step = self._rule.evaluation_seconds
        return [start + step * index for index in range(math.ceil(horizon / step) + 1)]

    def _states(
        self, course: Course, runs: Sequence[tuple[float, float]], start: float, horizon: float
    ) -> list[dict[float, str]]:
        """For each (fault, heal): the alert's state at the evaluations from `start` on, where it has one."""
        moments = self._moments(start, horizon)
        count = math.ceil((start + horizon) / self._timings.scrape) + 1
        labels = {"alertname": self._drill.alert, **self._drill.labels}
        selector = ", ".join(f"{name}={json.dumps(value)}" for name, value in labels.items())
        asked = [{"expr": f"ALERTS{{{selector}}}", "eval_time": _text(at)} for at in moments]
        times = [index * self._timings.scrape for index in range(count)]
        tests = [
            {
                "interval": _text(self._timings.scrape),
                "input_series": [
                    {"series": series, "values": values}
                    for series, values in course.values(times, fault, heal)
                ],
                "promql_expr_test": asked,  # each expects nothing, so promtool reports what there is
            }
            for fault, heal in runs
        ]
        return [_parsed(case.failures) for case in _run(self._rule, self._needed, tests)]


def _reached(state: str, wanted: str) -> bool:
    return state in {"firing", wanted}


def _text(seconds: float) -> str:
    return format_duration(round(seconds * 1000))


def _run(rule: LoadedRule, needed: Needed, tests: Sequence[object]) -> list[promtool.Case]:
    with tempfile.TemporaryDirectory(prefix="firedrill-bound-") as folder:
        Path(folder, "alerts.yml").write_text(needed.rule_file, "utf-8")
        document = {
            "rule_files": ["alerts.yml"],
            "evaluation_interval": _text(rule.evaluation_seconds),
            "tests": tests,
        }
        file = Path(folder, "ideal_test.yml")
        file.write_text(yaml.dump(document, Dumper=_NoAliases, sort_keys=False, width=10_000), "utf-8")
        return promtool.run_tests(file)


class _NoAliases(yaml.SafeDumper):
    """Writes a list that several tests share in each of them."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _parsed(failures: Sequence[str]) -> dict[float, str]:
    """The alert's state by evaluation, from promtool's report of each sample that was not expected."""
    found: dict[float, str] = {}
    for failure in failures:
        at, states = _TIME.search(failure), _STATE.findall(failure.rpartition("got:")[2])
        if at is None or not states:
            raise CheckFailed("promtool's answer on the ideal series cannot be read", failure, "report this")
        found[parse_duration(at[1]) / 1000] = "firing" if "firing" in states else "pending"
    return found
