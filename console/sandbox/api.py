"""/api/sandbox: the sandbox for programs. Every answer is JSON; what changes anything needs the token."""

import json
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from console.access import Access
from console.sandbox import told
from console.sandbox.chosen import HIGHEST_SEED
from console.sandbox.conductor import BusyError, Conductor, MissingError
from console.sandbox.model import ACKNOWLEDGE, SINCE
from console.sandbox.ports import StageError
from console.sandbox.run import NotNowError, UnknownError

PREFIX = "/api/sandbox"
LARGEST_BODY_BYTES = 4096
Body = Mapping[str, object]

ROUTES = (
    "GET /api/sandbox", "POST /api/sandbox/runs", "GET /api/sandbox/runs/<id>",
    "POST /api/sandbox/runs/<id>/{answer,hint,act,end}", "POST /api/sandbox/shifts",
    "GET /api/sandbox/shifts/<id>", "POST /api/sandbox/shifts/<id>/end",
)  # fmt: skip


class RefusedError(Exception):
    """An answer of 4xx with a code and what to do."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def routes(conductor: Conductor, access: Access) -> APIRouter:
    """The routes below /api/sandbox."""
    router = APIRouter(prefix=PREFIX, include_in_schema=False)

    @router.get("")
    async def everything() -> Response:
        return await _answered(lambda: _done(_everything(conductor)))

    @router.get("/runs/{run_id}")
    async def run(run_id: str) -> Response:
        return await _answered(lambda: _done(told.run(conductor.run(run_id))))

    @router.get("/shifts/{shift_id}")
    async def shift(shift_id: str) -> Response:
        return await _answered(lambda: _done(_shift(conductor, shift_id)))

    @router.post("/runs")
    async def start(request: Request) -> Response:
        async def begin() -> told.Json:
            body = await _body(request, access, {"incident"}, {"seed"})
            begun = await conductor.start(_text(body, "incident"), _seed(body))
            return told.run(begun)

        return await _answered(begin, status=201)

    @router.post("/shifts")
    async def start_shift(request: Request) -> Response:
        async def begin() -> told.Json:
            body = await _body(request, access, set(), {"seed"})
            return _shift(conductor, (await conductor.start_shift(_seed(body))).id)

        return await _answered(begin, status=201)

    @router.post("/shifts/{shift_id}/end")
    async def end_shift(shift_id: str, request: Request) -> Response:
        async def end() -> told.Json:
            await _body(request, access, set(), set())
            return _shift(conductor, (await conductor.end_shift(shift_id)).id)

        return await _answered(end)

    @router.post("/runs/{run_id}/{verb}")
    async def change(run_id: str, verb: str, request: Request) -> Response:
        async def do() -> told.Json:
            if verb not in _VERBS:
                raise RefusedError(404, "unknown_route", f"there are: {'; '.join(ROUTES)}")
            wanted, work = _VERBS[verb]
            body = await _body(request, access, wanted, set())
            conductor.run(run_id)
            return await work(conductor, run_id, body)

        return await _answered(do)

    @router.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    async def unknown(rest: str) -> Response:
        return _problem(404, "unknown_route", f"no {PREFIX}/{rest[:80]}; there are: {'; '.join(ROUTES)}")

    return router


async def _answer(conductor: Conductor, run_id: str, body: Body) -> told.Json:
    question = _text(body, "question")
    if question == SINCE:
        run, attempt = conductor.answer_since(run_id, _moment(body.get("answer")))
    else:
        run, attempt = conductor.answer(run_id, question, _text(body, "answer"))
    return {"right": attempt.right, "says": attempt.says, "run": told.run(run)}


async def _hint(conductor: Conductor, run_id: str, _: Body) -> told.Json:
    run = conductor.hint(run_id)
    hint = run.incident.hints[run.hints - 1]
    return {"hint": hint.text, "cost": hint.cost, "run": told.run(run)}


async def _act(conductor: Conductor, run_id: str, body: Body) -> told.Json:
    action = _text(body, "action")
    if action == ACKNOWLEDGE:
        return {"helped": True, "says": "The page is yours.", "run": told.run(conductor.acknowledge(run_id))}
    run, deed = await conductor.act(run_id, action)
    return {"helped": deed.heals, "says": deed.says, "cost": deed.cost, "run": told.run(run)}


async def _end(conductor: Conductor, run_id: str, _: Body) -> told.Json:
    return {"run": told.run(await conductor.end(run_id))}


_VERBS: Mapping[str, tuple[set[str], Callable[[Conductor, str, Body], Awaitable[told.Json]]]] = {
    "answer": ({"question", "answer"}, _answer),
    "hint": (set(), _hint),
    "act": ({"action"}, _act),
    "end": (set(), _end),
}


_ERRORS: Mapping[type[Exception], tuple[int, str]] = {
    MissingError: (404, "not_found"),
    BusyError: (409, "busy"),
    NotNowError: (409, "not_now"),
    UnknownError: (422, "bad_value"),
    StageError: (503, "stack"),
}


def _everything(conductor: Conductor) -> told.Json:
    active, shift = conductor.active, conductor.active_shift
    return {
        "incidents": [
            told.incident(one, unavailable=conductor.unavailable(one)) for one in conductor.incidents.values()
        ],
        "active": active.id if active else None,
        "shift": shift.id if shift else None,
        "runs": [{"id": one.id, "incident": one.incident.name, "phase": one.phase} for one in conductor.runs],
    }


def _shift(conductor: Conductor, shift_id: str) -> told.Json:
    shift = conductor.shift(shift_id)
    return told.shift(shift, [conductor.run(one) for one in shift.runs])


async def _done(value: told.Json) -> told.Json:
    return value


async def _answered(work: Callable[[], Awaitable[told.Json]], *, status: int = 200) -> Response:
    try:
        return JSONResponse(await work(), status_code=status)
    except RefusedError as error:
        return _problem(error.status, error.code, error.message)
    except tuple(_ERRORS) as error:
        refused, code = _ERRORS[type(error)]
        return _problem(refused, code, " ".join(str(error).split()))


def _problem(status: int, code: str, message: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=headers)


async def _body(request: Request, access: Access, wanted: set[str], optional: set[str]) -> Body:
    """The JSON object of a request that brings the token, with these keys and no others."""
    if not access.may_change(request):
        raise RefusedError(401, "unauthorized", "send the header Authorization: Bearer <FAULTS_TOKEN>")
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY_BYTES:
            raise RefusedError(413, "too_large", f"the body is larger than {LARGEST_BODY_BYTES} bytes")
    try:
        body = json.loads(content) if content.strip() else {}
    except (ValueError, RecursionError):
        raise RefusedError(400, "bad_json", "the body is not JSON") from None
    if not isinstance(body, dict):
        raise RefusedError(422, "bad_value", "the body must be a JSON object")
    known = ", ".join(sorted(wanted | optional)) or "none"
    if missing := sorted(wanted - set(body)):
        raise RefusedError(422, "bad_value", f"the body lacks {', '.join(missing)}; keys: {known}")
    if unknown := sorted(set(body) - wanted - optional):
        raise RefusedError(422, "bad_value", f"unknown key {unknown[0][:40]!r}; keys: {known}")
    return body


def _text(body: Body, name: str) -> str:
    value = body[name]
    if not isinstance(value, str):
        raise RefusedError(422, "bad_value", f"{name} must be a text")
    return value


def _seed(body: Body) -> int:
    value = body.get("seed")
    if value is None:
        return random.randrange(HIGHEST_SEED)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= HIGHEST_SEED:
        raise RefusedError(422, "bad_value", f"seed must be a whole number from 0 to {HIGHEST_SEED}")
    return value


def _moment(value: object) -> float:
    """Unix seconds, or ISO 8601 with a zone."""
    if isinstance(value, str):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is not None and found.tzinfo is not None:
            return found.timestamp()
    elif isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise RefusedError(422, "bad_value", "answer must be unix seconds, or 2026-11-21T10:00:00Z with its zone")
