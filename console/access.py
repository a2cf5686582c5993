"""Who may do what: only pages of this machine may ask, and only the token's holder may change anything."""

import hashlib
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from telemetry.health import QUIET_PATHS

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

TOKEN = "token"
COOKIE_DAYS = 30
# NiceGUI puts scripts into its pages and compiles templates there; nothing comes from elsewhere.
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Access:
    """The token of what changes anything. Without one, nobody may."""

    def __init__(self, token: str) -> None:
        self._token = token
        # Derived, so that a cookie that is read somewhere is not the fault switches' token; named by the
        # token, because all ports of a machine share their cookies and two stacks may run.
        self._key = hmac.new(token.encode(), b"firedrill console", hashlib.sha256).hexdigest()
        self.cookie = f"firedrill_{self._key[:8]}"
        self._value = self._key[8:]

    def knows(self, token: str) -> bool:
        """Whether this is the token."""
        return bool(self._token) and hmac.compare_digest(token.encode(), self._token.encode())

    def may_change(self, asked: HTTPConnection) -> bool:
        """Whether a request brings the token: by the cookie, or as `Authorization: Bearer ...`."""
        scheme, _, given = asked.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return self.knows(given.strip())
        cookie = asked.cookies.get(self.cookie, "")
        return bool(self._token) and hmac.compare_digest(cookie.encode(), self._value.encode())

    def set_cookie(self) -> str:
        """The header that makes a browser keep the token, out of reach of scripts and of other sites."""
        age = COOKIE_DAYS * 86400
        return f"{self.cookie}={self._value}; Max-Age={age}; Path=/; HttpOnly; SameSite=Strict"


class Guard:
    """Refuses what does not come from this machine's own pages, and turns `?token=` into a cookie."""

    def __init__(self, app: App, *, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        asked = HTTPConnection(scope)
        # Prometheus and the health check ask by the name that the network has for this container.
        if asked.url.path not in QUIET_PATHS and (problem := refusal(asked.headers)):
            await self._refuse(problem, scope, receive, send)
            return
        if scope["type"] == "http" and TOKEN in asked.query_params:
            await self._take_token(asked)(scope, receive, send)
            return
        await self._app(scope, receive, _with_headers(send))

    def _take_token(self, asked: HTTPConnection) -> Response:
        """Back to the same page without the token, which then stands in no history and no log."""
        rest = [(name, value) for name, value in asked.query_params.multi_items() if name != TOKEN]
        path = "/" + asked.url.path.lstrip("/")
        answer = RedirectResponse(path + ("?" + urlencode(rest) if rest else ""), status_code=303)
        answer.headers["Cache-Control"] = "no-store"
        if self._access.knows(asked.query_params[TOKEN]):
            answer.headers["Set-Cookie"] = self._access.set_cookie()
        return answer

    async def _refuse(self, problem: str, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": problem})
            return
        await PlainTextResponse(problem + "\n", status_code=403)(scope, receive, send)


def refusal(headers: Mapping[str, str]) -> str:
    """Why a request with these headers is not answered, or nothing.

    A foreign name that leads to 127.0.0.1 (DNS rebinding) shows in Host, another site's page in Origin.
    """
    host = headers.get("host", "")
    if not is_loopback(host):
        return f"the console answers on this machine only (127.0.0.1 or localhost), not as {host[:100]!r}"
    origin = headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
        return "another site's page may not use the console"
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate":
        return "another site's page may not use the console"
    return ""


def is_loopback(host: str) -> bool:
    """Whether the host of a Host header, with or without a port, is this machine by a loopback name."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message.get("headers", ())}
            added = [
                (name.lower().encode(), value.encode())
                for name, value in _HEADERS.items()
                if name.lower().encode() not in there
            ]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return sending
