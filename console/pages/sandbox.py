"""The pages of the sandbox, and its API."""

from collections.abc import Callable

from fastapi import Request
from nicegui import app as pages
from nicegui import ui

from console import frame
from console.frame import Console
from console.sandbox.api import routes
from console.sandbox.conductor import Conductor, MissingError
from console.sandbox.declared import IncidentError, declared_incidents
from console.sandbox.lobby import Lobby
from console.sandbox.model import Incident
from console.sandbox.query import Query
from console.sandbox.relay import Relay
from console.sandbox.room import Room
from console.sandbox.stage import LiveStage

HERE = "/sandbox"
REFRESH_SECONDS = 5.0


def install(console: Console) -> None:
    """Register the pages and the routes; incidents are read now, and a bad file is told on the page."""
    incidents, problem = _incidents(console)
    conductor = Conductor(
        incidents, _stage(console), slowness=1.0 if console.settings.pace == "demo" else 10.0
    )
    pages.include_router(routes(conductor, console.access))
    pages.on_shutdown(conductor.close)

    @ui.page("/sandbox")
    async def sandbox(request: Request) -> None:
        with frame.page(console, request, "Sandbox", here=HERE) as viewer:
            Lobby(conductor, viewer).build(problem)

    @ui.page("/sandbox/query")
    async def query(request: Request) -> None:
        with frame.page(console, request, "Ask Prometheus", here=HERE) as viewer:
            asked = Query.of(console, dict(request.query_params))
            asked.build()
            await viewer.keep_fresh(REFRESH_SECONDS, asked.update)

    @ui.page("/sandbox/shifts/{shift_id}")
    async def shift(request: Request, shift_id: str) -> None:
        with frame.page(console, request, "Shift", here=HERE) as viewer:
            _built(Relay(conductor, viewer, shift_id).build)

    @ui.page("/sandbox/{run_id}")
    async def run(request: Request, run_id: str) -> None:
        with frame.page(console, request, "Incident", here=HERE) as viewer:
            _built(Room(conductor, viewer, run_id).build)


def _built(build: Callable[[], None]) -> None:
    """What is asked for, or that there is none."""
    try:
        build()
    except MissingError as error:
        frame.text("Sandbox", tag="h1")
        frame.note(f"{error}. What it had broken has healed by itself.")
        frame.anchor("All incidents", HERE)


def _incidents(console: Console) -> tuple[dict[str, Incident], str]:
    try:
        return declared_incidents(console.settings.slices, console.settings.platform), ""
    except IncidentError as error:
        return {}, " ".join(str(error).split())


def _stage(console: Console) -> LiveStage:
    sources, settings = console.sources, console.settings
    return LiveStage(
        prometheus=sources.prometheus,
        alertmanager=sources.alertmanager,
        inbox=sources.inbox,
        faults=sources.faults,
        services=settings.services,
        token=settings.token,
        state=settings.state,
    )
