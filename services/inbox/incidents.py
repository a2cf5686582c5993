"""Messages put together to incidents: from the first notice of an alert to its resolved one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.inbox.domain import Alert, Kind, Link, Message, Status, Stored, unique_links

# In this order, for what is shown once: the first that came is the most telling.
_BEST = (Kind.WEBHOOK, Kind.SLACK, Kind.PAGERDUTY, Kind.EMAIL, Kind.SENTRY)
_SEVERITIES = ("critical", "warning", "info", "none")
# What a message repeats of what stands beside it anyway.
_REPEATED = ("*severity:*", "severity:", "runbook:", "dashboard:", "runbook ·", "`")


@dataclass
class Incident:
    """All notices of one alert from firing to resolved, oldest first; never empty."""

    notices: list[Stored] = field(default_factory=list)

    @property
    def status(self) -> Status:
        """That of the newest notice."""
        return self.notices[-1].message.status

    @property
    def began(self) -> float:
        """When the first notice came, in seconds since 1970."""
        return self.notices[0].received_at

    @property
    def ended(self) -> float | None:
        """When the first resolved notice came, or None."""
        return next((one.received_at for one in self.notices if one.message.status is Status.RESOLVED), None)

    @property
    def best(self) -> Stored:
        """The newest notice of the kind that says most."""
        return min(reversed(self.notices), key=lambda one: _BEST.index(one.message.kind))

    @property
    def message(self) -> Message:
        """What the best notice says."""
        return self.best.message

    @property
    def severity(self) -> str:
        """As told by any notice."""
        return next((one.message.severity for one in reversed(self.notices) if one.message.severity), "")

    @property
    def title(self) -> str:
        """The alert's name."""
        return ", ".join(self.message.alertnames) or self.message.title or "message"

    @property
    def text(self) -> str:
        """What the alert says, without what stands beside it."""
        lines = self.message.text.splitlines()
        return "\n".join(one for one in lines if not one.strip().lower().startswith(_REPEATED)).strip()

    @property
    def labels(self) -> Mapping[str, str]:
        """Of the notice that tells most of them."""
        return max((one.message.labels for one in reversed(self.notices)), key=len)

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """The single alerts, where a notice tells them."""
        return self.message.alerts

    @property
    def links(self) -> tuple[Link, ...]:
        """Runbook, dashboard and others, each address once."""
        return unique_links([link for one in reversed(self.notices) for link in one.message.links])

    @property
    def places(self) -> Sequence[tuple[str, int]]:
        """Where it was delivered, with the number of notices: `slack #channel`, `pagerduty`, ..."""
        counts: dict[str, int] = {}
        for one in self.notices:
            name = place_of(one.message)
            counts[name] = counts.get(name, 0) + 1
        return list(counts.items())

    @property
    def receivers(self) -> Sequence[str]:
        """Alertmanager's receivers that told of it."""
        return list(dict.fromkeys(one.message.receiver for one in self.notices))


def place_of(message: Message) -> str:
    """How and where a message was delivered."""
    if message.kind is Kind.EMAIL:
        return f"e-mail to {message.channel}"
    return f"slack #{message.channel}" if message.kind is Kind.SLACK else message.kind.value


def incidents(messages: Sequence[Stored]) -> list[Incident]:
    """The incidents among `messages` (in any order): what fires first, then the newest first."""
    found: list[Incident] = []
    latest: dict[tuple[object, str], Incident] = {}
    for stored in sorted(messages, key=lambda one: one.id):
        message = stored.message
        key = (message.alertnames or stored.id, message.labels.get("system", ""))
        known = latest.get(key)
        again = known is not None and known.status is Status.RESOLVED and message.status is Status.FIRING
        if known is None or again:
            known = latest[key] = Incident()
            found.append(known)
        known.notices.append(stored)
    return sorted(found, key=_place)


def _place(incident: Incident) -> tuple[int, int, float]:
    firing = incident.status is Status.FIRING
    severity = _SEVERITIES.index(incident.severity) if incident.severity in _SEVERITIES else len(_SEVERITIES)
    return (0 if firing else 1, severity if firing else 0, -incident.notices[-1].received_at)
