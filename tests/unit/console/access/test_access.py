"""Only this machine's own pages may ask, and only the token's holder may change anything."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket

from console.access import Access, Guard, is_loopback, refusal

TOKEN = "0123456789abcdef"


BASE = "http://127.0.0.1:8080"


class Asking:
    """A browser that keeps cookies and follows nothing."""

    def __init__(self, app: FastAPI) -> None:
        self.app, self.cookies = app, httpx.Cookies()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        """The answer to a request."""
        return asyncio.run(self._get(path, headers))

    async def _get(self, path: str, headers: Mapping[str, str] | None) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(transport=transport, cookies=self.cookies) as http:
            answer = await http.get(BASE + path, headers=dict(headers or {}))
            self.cookies = http.cookies
            return answer

    def websocket(self, headers: Mapping[str, str]) -> list[dict[str, Any]]:
        """What the application sends to one that connects to /ws."""
        scope = {
            "type": "websocket", "path": "/ws", "raw_path": b"/ws", "query_string": b"", "root_path": "",
            "scheme": "ws", "headers": [(k.lower().encode(), v.encode()) for k, v in headers.items()],
            "server": ("127.0.0.1", 8080), "client": ("127.0.0.1", 1), "subprotocols": [], "extensions": {},
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        return sent


def client(token: str = TOKEN) -> Asking:
    """An application behind the guard that says whether its caller may change something."""
    access = Access(token)
    app = FastAPI()

    @app.get("/page")
    def page(request: Request) -> bool:
        return access.may_change(request)

    @app.get("/metrics")
    def metrics() -> str:
        return "ok"

    @app.websocket("/ws")
    async def ws(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text("hello")

    app.add_middleware(Guard, access=access)
    return Asking(app)


def test_the_link_with_the_token_leaves_a_cookie_and_a_clean_address() -> None:
    """The answer leads to the same page without the token; the cookie then may change things."""
    asked = client()
    assert asked.get("/page").json() is False
    answer = asked.get("/page?a=1&token=" + TOKEN)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/page?a=1"
    cookie = answer.headers["set-cookie"]
    assert TOKEN not in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert asked.get("/page").json() is True


def test_a_wrong_token_leaves_nothing() -> None:
    """No cookie, and the page stays readable."""
    asked = client()
    answer = asked.get("/page?token=wrong")
    assert "set-cookie" not in answer.headers
    assert asked.get("/page").json() is False


def test_a_redirect_stays_here() -> None:
    """A path of two slashes would be another host."""
    answer = client().get("//evil.example/page?token=" + TOKEN)
    assert answer.headers["location"] == "/evil.example/page"


def test_bearer_is_taken_and_wins_over_a_cookie() -> None:
    """For programs; a wrong one is not mended by a cookie."""
    asked = client()
    assert asked.get("/page", headers={"Authorization": f"Bearer {TOKEN}"}).json() is True
    asked.get("/page?token=" + TOKEN)
    assert asked.get("/page", headers={"Authorization": "Bearer wrong"}).json() is False


def test_without_a_token_nobody_may() -> None:
    """An empty token is nobody's, neither by link, cookie nor header."""
    asked = client("")
    assert "set-cookie" not in asked.get("/page?token=").headers
    asked.cookies.set(Access("").cookie, Access("")._value)
    assert asked.get("/page").json() is False
    assert asked.get("/page", headers={"Authorization": "Bearer "}).json() is False


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example:8080"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
def test_other_sites_are_refused(headers: dict[str, str]) -> None:
    """Pages of other names, origins and ports get nothing, by HTTP and by WebSocket."""
    asked = client()
    answer = asked.get("/page", headers=headers)
    assert answer.status_code == 403
    (sent,) = asked.websocket({"Host": "127.0.0.1:8080", **headers})
    assert sent["type"] == "websocket.close"


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost:8080", "localhost", "[::1]:8080", "127.0.0.2"])
def test_loopback_names(host: str) -> None:
    """All names of this machine by which a browser on it may ask."""
    assert is_loopback(host)
    assert refusal({"host": host, "origin": f"http://{host}"}) == ""


def test_own_pages_and_prometheus_are_let_in() -> None:
    """The same origin by WebSocket; the metrics by whatever name the network has."""
    asked = client()
    sent = asked.websocket({"Host": "127.0.0.1:8080", "Origin": BASE})
    assert [one.get("text") for one in sent][:2] == [None, "hello"]
    assert asked.get("/metrics", headers={"Host": "console:8080"}).status_code == 200


def test_pages_may_load_nothing_from_elsewhere() -> None:
    """The policy in each answer."""
    policy = client().get("/page").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
