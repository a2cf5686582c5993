"""The notice of a drill's alert: waited for at every place where it is expected, and at no other."""

from .model import Drill
from .ports import ActiveAlert, Surroundings, Timings
from .steps import Steps, tried
from .watch import delivered, missing_notices

RETOLD_SECONDS = 900.0  # for so long Prometheus repeats that an alert has resolved (rules/alerting.go)


class Notices:
    """The notices of one drill."""

    def __init__(self, drill: Drill, around: Surroundings, steps: Steps) -> None:
        self._drill, self._around, self._steps = drill, around, steps

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
