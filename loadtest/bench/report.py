"""From rounds to shares of bare throughput, as a table and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from loadtest.bench.cases import Case
from loadtest.bench.throughput import Round

REFERENCE = "bare"


@dataclass(frozen=True)
class Summary:
    """One case over all rounds; the shares are of bare in the same round."""

    name: str
    what: str
    rate: float
    cpu_microseconds: float
    least: float
    kept: float
    most: float
    kept_cpu: float
    """Bare's CPU time per request as a share of this one's: less troubled by neighbours on the machine."""
    failures: int
    lost: float | None
    wanted: float | None
    goal: float | None

    @property
    def verdict(self) -> str:
        """Against what is wanted; the goal is named when it is not reached."""
        if self.wanted is None or self.goal is None:
            return ""
        if self.kept >= self.goal:
            return f"goal {self.goal:.2f} reached"
        return f"{'above' if self.kept >= self.wanted else 'BELOW'} {self.wanted:.2f}, goal {self.goal:.2f}"


def summaries(cases: Sequence[Case], rounds: Sequence[Round]) -> list[Summary]:
    """One for each case that was measured; ValueError without a bare round."""
    by_case: dict[str, list[Round]] = {}
    for each in rounds:
        by_case.setdefault(each.case, []).append(each)
    bare = by_case.get(REFERENCE)
    if not bare:
        raise ValueError("bare was not measured, so there is nothing to compare with")
    return [_summary(case, by_case[case.name], bare) for case in cases if case.name in by_case]


def _summary(case: Case, own: Sequence[Round], bare: Sequence[Round]) -> Summary:
    shares = [mine.rate / other.rate for mine, other in zip(own, bare, strict=False)]
    cpu = [other.cpu_microseconds / mine.cpu_microseconds for mine, other in zip(own, bare, strict=False)]
    lost = [each.lost for each in own if each.lost is not None]
    return Summary(
        name=case.name,
        what=case.what,
        rate=median(each.rate for each in own),
        cpu_microseconds=median(each.cpu_microseconds for each in own),
        least=min(shares),
        kept=median(shares),
        most=max(shares),
        kept_cpu=median(cpu),
        failures=sum(each.failures for each in own),
        lost=sum(lost) if lost else None,
        wanted=case.least,
        goal=case.goal,
    )


def table(found: Sequence[Summary]) -> str:
    """Aligned columns, the widest text last."""
    names = (("req/s", 8), ("CPU us", 8), ("kept", 7), ("min", 7), ("max", 7), ("by CPU", 8), ("failed", 8))
    lines = [f"{'case':16}{''.join(f'{name:>{width}}' for name, width in names)}{'lost':>7}  what"]
    for each in found:
        lost = "" if each.lost is None else f"{each.lost:.0f}"
        lines.append(
            f"{each.name:16}{each.rate:8.0f}{each.cpu_microseconds:8.1f}{each.kept:7.2f}{each.least:7.2f}"
            f"{each.most:7.2f}{each.kept_cpu:8.2f}{each.failures:8}{lost:>7}  {each.what}"
            + (f" ({each.verdict})" if each.verdict else "")
        )
    return "\n".join(lines)


def document(
    found: Sequence[Summary], rounds: Sequence[Round], conditions: Mapping[str, object]
) -> dict[str, object]:
    """Everything, for a file."""
    return {
        "conditions": dict(conditions),
        "cases": [asdict(each) for each in found],
        "rounds": [asdict(each) for each in rounds],
    }
