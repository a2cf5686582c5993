"""Errors that a client sees, all in one JSON form.

    ServiceError            -> {"error": {"code", "message", "request_id"}}
    ├── ClientError         4xx: what the client can change
    └── Unavailable         503 with Retry-After: what the client can only wait for

Request models should use `telemetry.text.SafeText` for text that is stored: NUL characters and lone
surrogates are then a 422 instead of a database error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from telemetry.masking import mask_text
from telemetry.scope import current_request

_MAX_DETAILS = 20
_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "too_many_requests",
}


class ServiceError(Exception):
    """An answer with a status, a code for programs and a message for people."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class ClientError(ServiceError):
    """A 4xx answer; ValueError for any other status."""

    def __init__(
        self, status: int, code: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        if not 400 <= status <= 499:
            raise ValueError(f"{status} is no client error")
        super().__init__(status, code, message, headers=headers)


class Unavailable(ServiceError):
    """A 503 answer: `what` cannot be reached; the client may try again after `retry_after` seconds."""

    def __init__(self, what: str, *, retry_after: float = 1.0) -> None:
        seconds = max(1, math.ceil(retry_after))
        message = f"{what} is unavailable; try again in {seconds} s"
        super().__init__(503, "unavailable", message, headers={"Retry-After": str(seconds)})


def error_response(
    status: int,
    code: str,
    message: str,
    *,
    headers: Mapping[str, str] | None = None,
    details: Sequence[Mapping[str, str]] = (),
) -> Response:
    """The JSON error answer; any text can be given, it is masked and made encodable."""
    scope = current_request()
    error: dict[str, object] = {
        "code": code,
        "message": encodable(mask_text(message)),
        "request_id": scope.request_id if scope else "",
    }
    if details:
        error["details"] = [
            {key: encodable(mask_text(text)) for key, text in each.items()} for each in details
        ]
    body = orjson.dumps({"error": error})
    return Response(body, status, headers=dict(headers or {}), media_type="application/json")


def encodable(text: str) -> str:
    """The text with what UTF-8 cannot hold replaced by question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


async def _on_service_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ServiceError)
    return error_response(error.status, error.code, error.message, headers=error.headers)


async def _on_http_exception(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = _CODES.get(error.status_code, "error")
    if error.status_code in (204, 304):
        return Response(status_code=error.status_code, headers=dict(error.headers or {}))
    message = error.detail if isinstance(error.detail, str) else _phrase(error.status_code)
    return error_response(error.status_code, code, message, headers=error.headers)


async def _on_validation_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # The input itself is left out: it may be a secret, or nothing that JSON can hold.
    details = [
        {"field": ".".join(str(part) for part in each.get("loc", ())), "reason": str(each.get("msg", ""))}
        for each in error.errors()[:_MAX_DETAILS]
    ]
    first = details[0] if details else {"field": "request", "reason": "invalid"}
    message = f"{first['field']}: {first['reason']}"
    return error_response(422, "invalid_request", message, details=details)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "error"


def install_error_handlers(app: FastAPI) -> None:
    """Answer every expected error in the JSON form; unexpected ones are the middleware's."""
    app.add_exception_handler(ServiceError, _on_service_error)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
