"""Every metric and log event of the inbox, declared once."""

from collections.abc import Sequence
from pathlib import Path

from services.inbox.domain import Kind, Message, Refusal, Status
from services.inbox.envelope import ITEM_TYPES, OTHER
from services.inbox.heartbeat import Pulse, Silence
from telemetry.logs import get_logger
from telemetry.metrics import Metrics

RECEIVED = "Message received"
REFUSED = "Message refused"
CLEARED = "Messages cleared"
DAMAGED = "Message store was damaged and begun anew"
SILENT = "Heartbeat silent"
RECOVERED = "Heartbeat is back"
UNKEPT = "Heartbeat cannot be kept"


class Signals:
    """The service's metrics and log events; one per process."""

    def __init__(self, metrics: Metrics) -> None:
        self._log = get_logger("inbox")
        # The receiver is no label: whoever posts chooses it.
        self.messages = metrics.counter("inbox_messages_total", "Messages taken", ("kind", "status"))
        self.messages.preset(*((kind.value, status.value) for kind in Kind for status in Status))
        self.refused = metrics.counter(
            "inbox_messages_refused_total", "Payloads refused, by reason", ("kind", "reason")
        )
        self.refused.preset(*((kind.value, reason.value) for kind in Kind for reason in Refusal))
        self.sentry_items = metrics.counter(
            "inbox_sentry_items_total", "Items of Sentry's envelopes; only events are kept", ("type",)
        )
        self.sentry_items.preset(*((kind,) for kind in (*ITEM_TYPES, OTHER)))
        self.stored = metrics.gauge("inbox_messages_stored", "Messages kept now")
        self.last_beat = metrics.gauge(
            "inbox_heartbeat_last_timestamp_seconds", "When the last heartbeat came, in seconds since 1970"
        )
        self.is_silent = metrics.gauge("inbox_heartbeat_silent", "1 while the heartbeat is silent")
        self.silences = metrics.counter("inbox_heartbeat_silences_total", "Silences of the heartbeat")
        self.silences.preset()

    def received(self, message: Message, stored: int) -> None:
        """A message was taken; `stored` are kept now."""
        self.messages.add(1, message.kind.value, message.status.value)
        self.stored.set(stored)
        self._log.info(
            RECEIVED,
            kind=message.kind.value,
            receiver=message.receiver,
            channel=message.channel,
            status=message.status.value,
            alertnames=list(message.alertnames),
        )

    def items(self, types: Sequence[str]) -> None:
        """An envelope of Sentry's was taken; `types` are those of its items."""
        for kind in types:
            self.sentry_items.add(1, kind)

    def refusal(self, kind: Kind, reason: Refusal, explanation: str) -> None:
        """A payload was refused."""
        self.refused.add(1, kind.value, reason.value)
        self._log.warning(REFUSED, kind=kind.value, reason=reason.value, explanation=explanation)

    def cleared(self, deleted: int) -> None:
        """All messages were deleted on request."""
        self.stored.set(0)
        self._log.info(CLEARED, deleted=deleted)

    def counted(self, stored: int) -> None:
        """So many messages were found at start."""
        self.stored.set(stored)

    def damaged(self, aside: Path, why: str) -> None:
        """The store's file could not be read and was moved to `aside`."""
        self._log.warning(DAMAGED, path=str(aside), why=why)

    def pulse(self, pulse: Pulse) -> None:
        """What is known of the heartbeat at start, or after a beat."""
        if pulse.last is not None:
            self.last_beat.set(pulse.last)
        self.is_silent.set(0 if pulse.open is None else 1)

    def silent(self, silence: Silence) -> None:
        """The heartbeat has been silent for longer than allowed."""
        self.is_silent.set(1)
        self.silences.add(1)
        self._log.error(SILENT, since=silence.began)

    def beat(self, pulse: Pulse, *, ended: Silence | None) -> None:
        """A heartbeat came; `ended` is the silence that it ended."""
        self.pulse(pulse)
        if ended is not None and pulse.last is not None:
            self._log.info(RECOVERED, silent_seconds=round(pulse.last - ended.began, 3))

    def unkept(self, why: str) -> None:
        """The store does not take what is known of the heartbeat."""
        self._log.warning(UNKEPT, why=why)
