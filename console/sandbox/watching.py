"""What a look at the stack makes of a run: calm, page, healed by hand, cleared, too late."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from console.sandbox.run import PATIENCE_SECONDS, SETTLE_SECONDS, Alert, Run, Seen, ended, healed, noted

GROUP_INTERVAL_SECONDS = 30.0  # of every route at demo pace


def observe(run: Run, seen: Seen) -> Run:
    """What one look at the stack makes of the run."""
    if run.phase == "over":
        return run
    if run.phase == "settling":
        return _settle(run, seen)
    if run.phase == "quiet":
        return _await_page(run, seen)
    if run.phase == "open":
        return _await_solution(run, seen)
    if run.phase == "clearing":
        return _await_end(run, seen)
    return _await_answers(run, seen.now)


def due(run: Run, now: float) -> bool:
    """Whether the fault must go in now."""
    return run.faulted_at is None and run.breaks_at is not None and now >= run.breaks_at and run.wants_fault


def faulted(run: Run, now: float) -> Run:
    """The fault is in; the trainee is not told."""
    return replace(run, faulted_at=now)


def failed(run: Run, now: float, why: str) -> Run:
    """It could not be run: nothing is scored."""
    return ended(run, now, "void", why)


def _settle(run: Run, seen: Seen) -> Run:
    """Calm is no alert; after a while, none that could be taken for the page, and the others are named."""
    waited = (seen.now - run.started_at) / run.slowness
    alerts = [one for one in seen.alerts or () if one.labels.get("severity") != "none"]
    firing = sorted({one.name for one in alerts if one.state == "firing"})
    own = sorted(_own(run, alerts))
    run, told = _told(run, seen, own)
    if told and not own and (not firing or waited > PATIENCE_SECONDS):
        still = f" Still firing from before, and not your business: {', '.join(firing)}." if firing else ""
        calm = "The stack is calm." if not firing else ""
        text = f"{calm} You are on call.{still}".strip()
        return noted(replace(run, calm_at=seen.now), seen.now, text)
    if waited > SETTLE_SECONDS:
        trouble = ", ".join(own) or _trouble(seen)
        return failed(run, seen.now, f"the stack did not become calm: {trouble}; mend that, then start anew")
    return run


def untold_now(before: Run, after: Run) -> bool:
    """Whether a look has shown that Alertmanager must be told of an end that it will not tell by itself."""
    return after.telling.asked is not None and after.telling.asked != before.telling.asked


def _told(run: Run, seen: Seen, own: Sequence[str]) -> tuple[Run, bool]:
    """Whether Alertmanager has told the end of every alert that could be the page, as far as can be seen.

    One that fires again before that is nothing new to it, and no page would come.
    """
    if seen.alerts is None:
        return run, False
    telling, verdict = run.telling.after(
        missing=bool(seen.untold) and not own,
        now=seen.now,
        group_interval=GROUP_INTERVAL_SECONDS * run.slowness,
    )
    return replace(run, telling=telling), verdict == "clear"


def _trouble(seen: Seen) -> str:
    if seen.alerts is None:
        return "Prometheus does not answer"
    names = ", ".join(sorted({one.alertname for one in seen.untold}))
    return f"the end of {names} has not been told" if names else "until just now other alerts fired"


def _stay_calm(run: Run, seen: Seen) -> Run:
    """An own alert that comes before the fault would be taken for the page: wait for calm once more."""
    if not _own(run, seen.alerts or ()):
        return run
    return noted(replace(run, calm_at=None), seen.now, "An alert came too early; the stack must calm down.")


def _own(run: Run, alerts: Iterable[Alert]) -> set[str]:
    """Those, pending or firing, whose notice would be the page."""
    return {one.name for one in alerts} & set(run.incident.page)


def _await_page(run: Run, seen: Seen) -> Run:
    since = run.faulted_at
    if since is None:
        return _stay_calm(run, seen)
    pages = [
        one
        for one in seen.messages or ()
        if one.status == "firing" and one.alert in run.incident.page and one.received_at >= since
    ]
    if pages:
        page = min(pages, key=lambda one: one.received_at)
        run = replace(run, page=page, paged_at=page.received_at)
        return noted(run, page.received_at, f"The page comes in: {page.alert}.")
    if seen.broken is False:
        return failed(run, seen.now, "the fault was healed by somebody before its page came in")
    if seen.now - since > run.incident.limits.page * run.slowness:
        return failed(run, seen.now, f"no page came within {run.incident.limits.page * run.slowness:g} s")
    return run


def _await_solution(run: Run, seen: Seen) -> Run:
    if seen.broken is False:
        run = noted(run, seen.now, "Somebody healed it by hand.")
        return healed(run, seen.now, "by hand")
    if run.solve_until is not None and seen.now > run.solve_until:
        why = f"It was not mended within {run.incident.limits.solve / 60:g} minutes of the page."
        return ended(run, seen.now, "too late", why)
    return run


def _await_end(run: Run, seen: Seen) -> Run:
    healed_at, page = run.healed_at or seen.now, run.page
    notices = [
        one.received_at
        for one in seen.messages or ()
        if page and one.alert == page.alert and one.status == "resolved" and one.received_at >= healed_at
    ]
    if notices:
        run = replace(run, cleared_at=min(notices))
        run = noted(run, min(notices), "RESOLVED arrives: the alert has cleared.")
        return _await_answers(run, seen.now)
    if seen.now - healed_at > run.incident.limits.clear * run.slowness:
        why = "It was mended, and the notice of its end did not come in time; that is not your fault."
        return ended(run, seen.now, "solved", why)
    return run


def _await_answers(run: Run, now: float) -> Run:
    late = run.solve_until is not None and now > run.solve_until
    return run if run.unanswered and not late else ended(run, now, "solved", "")
