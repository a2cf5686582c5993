"""Series per service and per metric, and the values of labels, out of what Prometheus holds."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from .model import Budgets, Figure

Labels = Mapping[str, str]

PLACE = frozenset({"__name__", "job", "instance", "system", "le", "quantile"})
"""Labels that say where a series comes from, or which part of a histogram or summary it is."""
RULES = "recording rules"  # series without a job: what Prometheus computes itself
SPANS = "span metrics"  # the same, made by Tempo of spans and written to Prometheus
_OF_TEMPO = "traces_"
SHOWN = 3  # new values of a label that are named


class Where(NamedTuple):
    """A label of a metric of a job."""

    job: str
    metric: str
    label: str


def series_figures(
    now: Sequence[Labels], *, services: Mapping[str, str], budgets: Budgets
) -> Iterator[Figure]:
    """The number of series of each job that is scraped, most first; `services` names the service of a job."""
    jobs = Counter(_service(one, services) for one in now)
    for name, count in jobs.most_common():
        yield Figure("series", name, count, budgets.of("series", name))
    yield Figure("series", "all", len(now), budgets.of("series", "all"))


def metric_figures(
    now: Iterable[Labels], *, services: Mapping[str, str], budgets: Budgets
) -> Iterator[Figure]:
    """The number of series of each metric name, most first, each with the services that have it."""
    metrics: Counter[str] = Counter()
    owners: defaultdict[str, set[str]] = defaultdict(set)
    for one in now:
        metrics[one["__name__"]] += 1
        owners[one["__name__"]].add(_service(one, services))
    for name, count in metrics.most_common():
        budget = budgets.of("series_of_metric", name)
        yield Figure("series_of_metric", name, count, budget, _listed(owners[name]))


def label_figures(
    now: Iterable[Labels], before: Iterable[Labels], *, jobs: frozenset[str], budgets: Budgets, seconds: float
) -> Iterator[Figure]:
    """For each label of the metrics of `jobs`: how many values it has where it has most, and which are new.

    A metric with a budget of its own (`metric.label`) stands by itself. `seconds` lie between the looks.
    """
    current, earlier = _values(now, jobs), _values(before, jobs)
    groups: defaultdict[str, list[Where]] = defaultdict(list)
    for where in current:
        own = f"{_family(where.metric)}.{where.label}"
        groups[own if own in budgets.entries.get("label_values", {}) else where.label].append(where)
    for subject, members in sorted(groups.items()):
        most = max(members, key=lambda one: (len(current[one]), one))
        new = {value for one in members for value in current[one] - earlier.get(one, current[one])}
        note = f"{_family(most.metric)} of {most.job}"
        if new:
            shown = ", ".join(sorted(new)[:SHOWN])
            note += f"; {len(new)} new in {seconds / 60:.0f} min: {shown}"
        budget = budgets.of("label_values", subject)
        yield Figure("label_values", subject, len(current[most]), budget, note)


def _values(series: Iterable[Labels], jobs: frozenset[str]) -> dict[Where, set[str]]:
    """The values of each label of each metric of each of `jobs`."""
    found: defaultdict[Where, set[str]] = defaultdict(set)
    for one in series:
        job = one.get("job", "")
        if job in jobs:
            for label in one.keys() - PLACE:
                found[Where(job, one["__name__"], label)].add(one[label])
    return dict(found)


def _family(metric: str) -> str:
    """The name of a histogram or summary without the ending of its parts."""
    for ending in ("_bucket", "_sum", "_count"):
        if metric.endswith(ending):
            return metric.removesuffix(ending)
    return metric


def _service(labels: Labels, services: Mapping[str, str]) -> str:
    job = labels.get("job", "")
    return services.get(job, job) or (SPANS if labels["__name__"].startswith(_OF_TEMPO) else RULES)


def _listed(names: Iterable[str], most: int = 4) -> str:
    found = sorted(names)
    rest = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + rest
