"""A wave of fraud as fds meets it: good customers who look like thieves are stopped with them."""

from dataclasses import replace

from loadtest import fds_requests
from loadtest.fds_requests import FRAUD_SHARE
from loadtest.kinds import PAYER, Circumstances, Kind
from loadtest.request import Script

CAUGHT_SHARE = 0.9  # of the good payments while the wave is on: half of what is stopped then is no fraud


def paying(now: Circumstances) -> Script:
    """Has payments evaluated and says later what they were."""

    def caught() -> float:
        return CAUGHT_SHARE if now.fraud() > FRAUD_SHARE else 0.0

    stream = fds_requests.background_stream(now.seed, now.user, run=now.run, fraud=now.fraud, caught=caught)
    for case in stream:
        if case.truth is not None:
            now.ledger.note(case.transaction_id, case.truth)
        answer = yield case.request
        feedback = case.feedback()
        if answer.status == 200 and feedback is not None:
            yield feedback


def in_a_wave(kind: Kind) -> Kind:
    """The same kind of user during a wave."""
    return replace(kind, script=paying) if kind is PAYER else kind
