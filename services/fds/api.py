"""Routes of fds: parse, evaluate or label, record, respond."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ValidationError

from services.fds.domain import DECISIONS, Decision, Evaluation
from services.fds.engines import Evaluator
from services.fds.ports import EvaluationStore, Kept, PastCases, StoreUnavailableError
from services.fds.quality import Labelled, QualityWindow
from services.fds.schemas import TRANSACTION_ID, Feedback, Moment, Payment
from services.fds.signals import Signals
from telemetry.errors import ClientError, Unavailable
from telemetry.logs import bind
from telemetry.masking import hash_user_id
from telemetry.traces import current_trace_id

LARGEST_BODY_BYTES: Final = 32_768
RETRY_AFTER_SECONDS: Final = 2

M = TypeVar("M", bound=BaseModel)


class Service:
    """What the routes share: evaluator, store, quality and signals, and whether the store is prepared."""

    def __init__(
        self, evaluator: Evaluator, store: EvaluationStore, signals: Signals, *, now: Callable[[], datetime]
    ) -> None:
        self.evaluator, self.store, self.signals, self.now = evaluator, store, signals, now
        self._quality = QualityWindow()
        self.prepared = False

    def restore(self, past: PastCases) -> None:
        """Begin serving, with the cases labelled before."""
        self.signals.measured(self._quality.restore(past.stopped, past.fraud))
        self.prepared = True
        self.signals.prepared()

    async def evaluate(self, payment: Payment) -> dict[str, Any]:
        """Evaluate once per transaction_id; the same payment again gets the first answer again.

        A checkout that lost the answer may thus retry without a second decision, a second count in the
        velocity, or a second line in the books; the same id for another payment is a mistake and gets 409.
        Raises ClientError and Unavailable.
        """
        fingerprint = payment.fingerprint()
        with (
            bind(user_id=payment.user_id),
            self.signals.evaluating(payment.transaction_id) as span,
        ):
            span.set("user_id", hash_user_id(payment.user_id))
            try:
                kept = await self._evaluate(payment, fingerprint)
            except StoreUnavailableError as error:
                self.signals.failed(payment.transaction_id, error)
                raise Unavailable("evaluation store", retry_after=RETRY_AFTER_SECONDS) from error
            span.set("risk_score", kept.risk_score)
            span.set("risk_level", kept.answer["risk_level"])
            span.set("decision", kept.decision)
        if kept.fingerprint != fingerprint:
            raise ClientError(
                409, "transaction_differs", f"{payment.transaction_id} was evaluated with other values"
            )
        return dict(kept.answer)

    async def _evaluate(self, payment: Payment, fingerprint: str) -> Kept:
        self.require_store()
        kept = await self.store.find(payment.transaction_id)
        if kept is None:
            evaluation = await self.evaluator.evaluate(payment.transaction(self.now()))
            mine = _to_keep(payment, fingerprint, evaluation, self.now())
            kept = await self.store.add(mine)
            if kept.evaluation_id == mine.evaluation_id:
                self.signals.record(evaluation)
        return kept

    async def label(self, feedback: Feedback) -> dict[str, Any]:
        """Label a decision once. The same label again changes nothing; another one gets 409."""
        labelling = await self.asked(lambda: self.store.label(feedback.transaction_id, feedback.label))
        if labelling is None:
            raise ClientError(404, "unknown_transaction", f"{feedback.transaction_id} was never evaluated")
        kept = labelling.kept
        if kept.label != feedback.label:
            raise ClientError(409, "labelled_otherwise", f"{kept.transaction_id} is labelled {kept.label}")
        event = Labelled(kept.transaction_id, kept.decision, feedback.label)
        if labelling.changed:
            self.signals.labelled(event, self._quality.add(event.outcome))
        return {
            "transaction_id": kept.transaction_id,
            "decision": kept.decision,
            "label": kept.label,
            "outcome": event.outcome,
            "repeated": not labelling.changed,
        }

    async def asked(self, call: "Callable[[], Any]") -> Any:
        """What the store answers; Unavailable when it does not."""
        try:
            self.require_store()
            return await call()
        except StoreUnavailableError as error:
            raise Unavailable("evaluation store", retry_after=RETRY_AFTER_SECONDS) from error

    def require_store(self) -> None:
        """Raise StoreUnavailableError before the tables are there."""
        if not self.prepared:
            raise StoreUnavailableError("the store is not prepared yet")


def routes(service: Service) -> APIRouter:
    """Everything below /api/v1/fds."""
    router = APIRouter(prefix="/api/v1/fds")

    @router.post("/evaluate", openapi_extra=_body_of(Payment), summary="Evaluate a payment")
    async def evaluate(request: Request) -> dict[str, Any]:
        return await service.evaluate(await _parsed(request, Payment))

    @router.post("/feedback", openapi_extra=_body_of(Feedback), summary="Say what a payment was")
    async def feedback(request: Request) -> dict[str, Any]:
        return await service.label(await _parsed(request, Feedback))

    @router.get("/evaluations/{transaction_id}", summary="One kept evaluation")
    async def one(transaction_id: str) -> dict[str, Any]:
        kept = None
        if re.fullmatch(TRANSACTION_ID, transaction_id):
            kept = await service.asked(lambda: service.store.find(transaction_id))
        if kept is None:
            raise ClientError(404, "unknown_transaction", "no such transaction was evaluated")
        return _shown(kept)

    @router.get("/evaluations", summary="Kept evaluations, newest first")
    async def many(
        decision: Annotated[str | None, Query(pattern=f"^({'|'.join(DECISIONS)})$")] = None,
        unlabelled: bool = False,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        since: Annotated[
            Moment | None, Query(description="RFC 3339; then oldest first, from here on")
        ] = None,
    ) -> dict[str, Any]:
        chosen: Decision | None = next((known for known in DECISIONS if known == decision), None)
        found = await service.asked(
            lambda: service.store.latest(decision=chosen, unlabelled=unlabelled, limit=limit, since=since)
        )
        return {"evaluations": [_shown(kept) for kept in found]}

    return router


async def _parsed(request: Request, model: type[M]) -> M:
    """The body as `model`. Read here and not by the framework, so that its size is bounded."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY_BYTES:
            raise ClientError(413, "too_large", f"the body is larger than {LARGEST_BODY_BYTES} bytes")
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        # Never the values themselves: they may be secret, and they may not be text that JSON can carry.
        found = error.errors(include_url=False, include_context=False, include_input=False)[:5]
        told = "; ".join(f"{_place(each['loc'])}: {_reason(each['msg'])}" for each in found)
        raise ClientError(422, "invalid_request", told[:500]) from None


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")


def _body_of(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def _to_keep(payment: Payment, fingerprint: str, evaluation: Evaluation, now: datetime) -> Kept:
    return Kept(
        transaction_id=payment.transaction_id,
        evaluation_id=evaluation.evaluation_id,
        fingerprint=fingerprint,
        decision=evaluation.verdict.decision,
        risk_score=evaluation.verdict.risk_score,
        request=payment.model_dump(mode="json", exclude_none=True),
        answer=_answer(evaluation, current_trace_id()),
        created_at=now,
    )


def _answer(evaluation: Evaluation, trace_id: str | None) -> dict[str, Any]:
    verdict = evaluation.verdict
    return {
        "transaction_id": evaluation.transaction_id,
        "evaluation_id": evaluation.evaluation_id,
        "risk_score": verdict.risk_score,
        "risk_level": verdict.risk_level,
        "decision": verdict.decision,
        "factors": list(verdict.factors),
        "engines": {
            run.name: {
                "score": None if run.assessment is None else round(run.assessment.score, 2),
                "ms": round(run.seconds * 1000, 2),
            }
            for run in evaluation.runs
        },
        "elapsed_ms": round(evaluation.elapsed_seconds * 1000, 2),
        "model_version": evaluation.model_version,
        "degraded": list(verdict.degraded),
        "trace_id": trace_id,
    }


def _shown(kept: Kept) -> dict[str, Any]:
    return {
        **kept.answer,
        "request": kept.request,
        "created_at": kept.created_at.isoformat(),
        "label": kept.label,
        "labelled_at": kept.labelled_at.isoformat() if kept.labelled_at else None,
    }
