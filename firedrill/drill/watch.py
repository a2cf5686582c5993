"""What a drill looks for in alerts and messages: its own alert, strangers, and notices in the right place."""

from collections.abc import Callable, Iterable, Sequence

from firedrill.pace import comparisons

from .model import Drill, Notice
from .ports import ActiveAlert, LoadedRule, Message
from .result import StepFailed


def is_own(drill: Drill, alert: ActiveAlert) -> bool:
    """Whether `alert` is the drill's: its name and all static labels of its rule."""
    return alert.name == drill.alert and all(alert.labels.get(k) == v for k, v in drill.labels.items())


def strangers(
    drill: Drill,
    active: Iterable[ActiveAlert],
    *,
    states: frozenset[str],
    elsewhere: frozenset[str] = frozenset(),
) -> list[str]:
    """Alerts in one of `states` that neither the drill expects nor anybody `elsewhere`.

    Heartbeats (severity none) do not count.
    """
    return [
        f"{alert.name} ({alert.labels.get('system', 'no system')}, {alert.state})"
        for alert in active
        if alert.state in states
        and not is_own(drill, alert)
        and alert.name not in drill.also_expected | elsewhere
        and alert.labels.get("severity") != "none"
    ]


def delivered(
    drill: Drill, messages: Iterable[Message], *, status: str, step: str
) -> float | StepFailed | None:
    """The unix time at which the last expected notice arrived, None while one is missing.

    StepFailed when a notice of the drill's alert went elsewhere or carries other labels.
    """
    own = [one for one in messages if belongs(drill, one) and one.status == status]
    for message in own:
        if not any(_matches(notice, message) for notice in drill.notices):
            there = Notice(message.receiver, message.kind, message.channel)
            return StepFailed(
                step, f"the {status} notice went to {there}", f"expected: {_places(drill.notices)}"
            )
        if wrong := {k: message.labels.get(k) for k, v in drill.labels.items() if message.labels.get(k) != v}:
            return StepFailed(
                step, f"the {status} notice carries {wrong}", f"the rule says {dict(drill.labels)}"
            )
    times = [[one.received_at for one in own if _matches(notice, one)] for notice in drill.notices]
    return max(min(found) for found in times) if all(times) else None


def missing_notices(drill: Drill, messages: Sequence[Message], *, status: str) -> str:
    """Which expected places have no notice yet."""
    own = [one for one in messages if belongs(drill, one) and one.status == status]
    return _places([notice for notice in drill.notices if not any(_matches(notice, one) for one in own)])


def held_back(rule: LoadedRule, value: Callable[[str], float | None]) -> str:
    """What the sides of the rule's comparisons give now, beside what it asks for."""
    parts = []
    for one in comparisons(rule.expression):
        found = value(one.left)
        gives = "nothing" if found is None else f"{found:.4g}"
        left, right = (" ".join(side.split()) for side in (one.left, one.right))
        parts.append(f"{left} gives {gives}, the rule asks {one.operator} {right}")
    return "; ".join(parts) or f"the rule asks {' '.join(rule.expression.split())}"


def belongs(drill: Drill, message: Message) -> bool:
    """Whether `message` tells of the drill's alert; not every kind of message carries the system."""
    system = message.labels.get("system")
    return message.alertname == drill.alert and system in {None, drill.labels.get("system")}


def _matches(notice: Notice, message: Message) -> bool:
    channel = not notice.channel or notice.channel == message.channel
    return channel and (notice.receiver, notice.kind) == (message.receiver, message.kind)


def _places(notices: Iterable[Notice]) -> str:
    return "; ".join(str(notice) for notice in notices) or "nowhere"
