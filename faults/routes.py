"""The /faults routes: list, set and clear faults, for whoever holds the token."""

import json
from collections.abc import Callable, Mapping
from typing import TypeVar

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from faults.declared import DEFAULT_TTL_SECONDS, BadParameterError, Fault
from faults.state import SetFault, StateUnavailableError
from faults.switch import Switch, UnknownFaultError
from telemetry.errors import error_response

LARGEST_BODY_BYTES = 16_384
T = TypeVar("T")


class RefusedError(Exception):
    """An answer of 4xx or 5xx with a code and a reason for the caller."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def routes(switch: Switch) -> APIRouter:
    """GET, PUT and DELETE below /faults; every answer but 204 is JSON."""
    router = APIRouter(include_in_schema=False)

    @router.get("/faults")
    async def listing(request: Request) -> Response:
        try:
            _allow(switch, request)
            active = switch.all_active()
            return JSONResponse({"faults": [_described(f, active.get(n)) for n, f in switch.faults.items()]})
        except RefusedError as refusal:
            return _answer(refusal)

    @router.put("/faults/{name}")
    async def put(name: str, request: Request) -> Response:
        try:
            _allow(switch, request)
            parameters, ttl_seconds = _asked(await _body(request))
            found = await _guarded(lambda: switch.set(name, parameters, ttl_seconds), name)
            return JSONResponse(_described(switch.faults[name], found))
        except RefusedError as refusal:
            return _answer(refusal)

    @router.delete("/faults/{name}")
    async def clear(name: str, request: Request) -> Response:
        try:
            _allow(switch, request)
            await _guarded(lambda: switch.clear(name), name)
            return Response(status_code=204)
        except RefusedError as refusal:
            return _answer(refusal)

    @router.delete("/faults")
    async def clear_all(request: Request) -> Response:
        try:
            _allow(switch, request)
            await _guarded(switch.clear, "all")
            return Response(status_code=204)
        except RefusedError as refusal:
            return _answer(refusal)

    return router


def _allow(switch: Switch, request: Request) -> None:
    if switch.why_disabled:
        raise RefusedError(403, "faults_disabled", switch.why_disabled)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not switch.token_matches(token.strip()):
        raise RefusedError(401, "unauthorized", "send the header Authorization: Bearer <FAULTS_TOKEN>")


async def _body(request: Request) -> bytes:
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY_BYTES:
            raise RefusedError(413, "too_large", f"the body is larger than {LARGEST_BODY_BYTES} bytes")
    return content


def _asked(content: bytes) -> tuple[Mapping[str, object], object]:
    try:
        document = json.loads(content) if content.strip() else {}
    except (ValueError, RecursionError):
        raise RefusedError(422, "bad_request", "the body is not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("parameters", {}), dict):
        raise RefusedError(
            422, "bad_request", 'the body must be {"parameters": {...}, "ttl_seconds": number}'
        )
    unknown = sorted(set(document) - {"parameters", "ttl_seconds"})
    if unknown:
        raise RefusedError(
            422, "bad_request", f"unknown key {unknown[0][:50]!r}; known: parameters, ttl_seconds"
        )
    return document.get("parameters", {}), document.get("ttl_seconds", DEFAULT_TTL_SECONDS)


async def _guarded(action: Callable[[], T], name: str) -> T:
    try:
        return await run_in_threadpool(action)
    except UnknownFaultError:
        raise RefusedError(404, "unknown_fault", f"no fault {name[:50]!r}; GET /faults lists them") from None
    except BadParameterError as error:
        raise RefusedError(422, "bad_parameter", str(error)) from None
    except StateUnavailableError as error:
        raise RefusedError(503, "state_unavailable", str(error)) from None


def _described(fault: Fault, found: SetFault | None) -> dict[str, object]:
    parameters = [
        {
            "name": p.name,
            "default": p.default,
            "minimum": p.minimum,
            "maximum": p.maximum,
            "unit": p.unit,
            "choices": list(p.choices),
            "help": p.help,
        }
        for p in fault.parameters
    ]
    active = None
    if found is not None:
        active = {
            "parameters": dict(found.parameters),
            "set_at": found.set_at,
            "expires_at": found.expires_at,
        }
    return {"name": fault.name, "help": fault.help, "parameters": parameters, "active": active}


def _answer(refusal: RefusedError) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
    return error_response(refusal.status, refusal.code, refusal.message, headers=headers)
