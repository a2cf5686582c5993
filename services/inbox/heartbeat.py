"""Whether the heartbeat still comes: the rules of its silence, without a clock of their own."""

from dataclasses import dataclass, replace

# How long the first heartbeat may take. After a start: Prometheus and Alertmanager start too. On a machine
# that has never had one: their programs may have to be built or fetched first.
START_SECONDS = 120.0
FIRST_SECONDS = 1_200.0
KEPT_SILENCES = 100


@dataclass(frozen=True)
class Silence:
    """A time without heartbeat, in seconds since 1970; `until` is None while it lasts."""

    began: float
    until: float | None = None


@dataclass(frozen=True)
class Pulse:
    """What is known of the heartbeat; `started` is when this inbox began to listen."""

    limit: float
    started: float
    last: float | None = None
    silences: tuple[Silence, ...] = ()

    @property
    def open(self) -> Silence | None:
        """The silence that lasts."""
        return self.silences[-1] if self.silences and self.silences[-1].until is None else None

    def beaten(self, now: float) -> "Pulse":
        """With a heartbeat at `now`, which ends a silence."""
        silences = self.silences
        if self.open is not None:
            silences = (*silences[:-1], replace(self.open, until=now))
        return replace(self, last=now, silences=silences)

    def looked_at(self, now: float) -> "Pulse":
        """With a silence, from the last heartbeat on, once it is longer than allowed."""
        if self.open is not None or now - self._listening_since <= self._allowed:
            return self
        silences = (*self.silences, Silence(self._listening_since))
        return replace(self, silences=silences[-KEPT_SILENCES:])

    def alive(self, now: float) -> bool:
        """Whether a heartbeat has come within the limit."""
        return self.last is not None and now - self.last <= self.limit

    @property
    def waits(self) -> bool:
        """Nothing came since the start, and it is too early to call this a silence."""
        return self.open is None and (self.last is None or self.last < self.started)

    @property
    def _listening_since(self) -> float:
        # What was sent while the inbox was down says nothing about the sender.
        return self.started if self.last is None else max(self.last, self.started)

    @property
    def _allowed(self) -> float:
        if self.last is None:
            return max(self.limit, FIRST_SECONDS)
        return max(self.limit, START_SECONDS) if self.last < self.started else self.limit
