"""The routes of the pages: messages, one message, runbooks."""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, Response
from starlette.concurrency import run_in_threadpool

from services.inbox.domain import Kind, Status, Wanted
from services.inbox.listening import Listener
from services.inbox.page import Filter, Page, inbox_page, message_page, missing_page, runbook_page
from services.inbox.ports import Messages
from services.inbox.runbooks import Library, read_runbook
from services.inbox.taking import available

# Enough for the repeats of a long incident; each page shows what comes of them.
READ_MESSAGES = 500
LARGEST_ID = 2**63 - 1  # what an SQLite integer holds


def page_routes(messages: Messages, listener: Listener, library: Library) -> APIRouter:
    """HTML for people."""
    router = APIRouter()

    @router.get("/", response_class=HTMLResponse)
    async def page(status: Status | None = None, kind: Kind | None = None) -> Response:
        """The messages for people."""
        # Apart, for a flood of events must not hide what is firing.
        alerts = await available(messages.find(Wanted(without=Kind.SENTRY, limit=READ_MESSAGES)))
        events = await available(messages.find(Wanted(kind=Kind.SENTRY, limit=READ_MESSAGES)))
        total = await available(messages.count())
        pulse = await available(listener.pulse())
        asked = Filter(status, kind)
        return _html(inbox_page(alerts, events, total=total, pulse=pulse, now=listener.now(), asked=asked))

    @router.get("/messages/{message_id}", response_class=HTMLResponse)
    async def message(message_id: Annotated[int, PathParameter(ge=1, le=LARGEST_ID)]) -> Response:
        """One message with all that it says."""
        stored = await available(messages.get(message_id))
        if stored is None:
            return _html(
                missing_page(f"message {message_id}; it may have given way to newer ones"), status=404
            )
        return _html(message_page(stored))

    @router.get("/runbooks/{owner}/{alert}", response_class=HTMLResponse)
    async def runbook(owner: str, alert: str) -> Response:
        """The runbook that the annotations of an alert link to; the owner is a slice, or the platform."""
        path = await run_in_threadpool(library.find, owner, alert)
        if path is None:
            return _html(missing_page(f"the runbook {owner}/{alert}"), status=404)
        return _html(runbook_page(owner, alert, await run_in_threadpool(read_runbook, path)))

    return router


def _html(page: Page, *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(page.html, status_code=status, headers=dict(page.headers))
