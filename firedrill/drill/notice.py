"""The notice of a drill's alert: waited for at every place where it is expected, and at no other."""

from firedrill.untold import Telling, Told, untold

from .model import Drill
from .ports import ActiveAlert, Message, Surroundings, Timings
from .steps import Steps, tried
from .watch import belongs, delivered, missing_notices

RETOLD_SECONDS = 900.0  # for so long Prometheus repeats that an alert has resolved (rules/alerting.go)


class Notices:
    """The notices of one drill."""

    def __init__(self, drill: Drill, around: Surroundings, steps: Steps) -> None:
        self._drill, self._around, self._steps = drill, around, steps
        self._telling = Telling()

    def pending_end(self, timings: Timings, *, active: bool) -> list[str]:
        """What keeps the alert from being told anew: that it fired was told, and not yet that it ended.

        To be asked again and again, with whether it is `active` in Prometheus. When Alertmanager does not
        tell the end by itself in time, it is told of it, and that is noted.
        """
        around, alert = self._around, self._drill.alert
        messages = () if active else around.inbox.messages(since=0.0, alertname=alert)
        found = untold(_told(one) for one in messages if belongs(self._drill, one))
        now = around.clock.now()
        self._telling, verdict = self._telling.after(
            missing=bool(found), now=now, group_interval=timings.group_interval
        )
        if verdict == "clear":
            return []
        if verdict == "tell":
            around.notifier.end(found, now=now)
            self._steps.note(
                f"{alert} was told as firing and never as ended, as when the stack stops meanwhile: "
                "Alertmanager would not have told of it anew, and has been told of its end"
            )
        return [f"{alert} (its end has not been told)"]

    def arrived(self, step: str, since: str, start: float, by: float, status: str) -> float:
        """The unix second at which the last expected notice arrived. Raises StepFailed."""
        drill, inbox = self._drill, self._around.inbox

        def why() -> str:
            missing = missing_notices(drill, inbox.messages(since=start), status=status)
            labels = {"alertname": drill.alert, **drill.labels}
            held = tried(lambda: self._around.notifier.held(labels))
            return f"missing: {missing}; Alertmanager {held}"

        return self._steps.until(
            step,
            lambda: delivered(drill, inbox.messages(since=start), status=status, step=step),
            ends=start + by,
            missing=lambda: f"no {status} notice of {drill.alert} within {by:.0f} s of the {since}",
            why=why,
            todo="firedrill logs alertmanager",
        )

    def delay(self, own: ActiveAlert | None, timings: Timings) -> float:
        """How much later than usual, in seconds, Alertmanager may tell of `own`; it is noted.

        A resolved alert that Prometheus repeats makes a group in Alertmanager that ends at once. An alert of
        the same group that comes at that moment keeps it alive, and is told at its next look only: decision
        12 in docs/decisions has what was measured.
        """
        if own is None or not self._around.metrics.fired_besides(own, seconds=RETOLD_SECONDS):
            return 0.0
        self._steps.note(
            f"another alert of its group fired within {RETOLD_SECONDS / 60:.0f} minutes: Alertmanager may "
            f"tell of this one a group_interval ({timings.group_interval:.0f} s) later"
        )
        return timings.group_interval


def _told(message: Message) -> Told:
    return Told(message.alertname, message.labels, message.status, message.received_at)
