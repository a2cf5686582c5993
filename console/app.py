"""Where the parts of the console are joined."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from fastapi import FastAPI
from nicegui import Client, ui

from console.access import Access, Guard
from console.frame import Console, install_frame
from console.settings import Settings
from console.sources import Sources
from telemetry.app import FASTAPI_TELEMETRY_OFF, Telemetry
from telemetry.health import install_health
from telemetry.settings import TelemetrySettings

LOOK_EVERY_SECONDS = 3.0
STATIC = Path(__file__).parent / "static"
# Each has install(console), which registers its pages and routes.
PAGES = ("overview", "boards", "traces", "logs", "alerts", "inbox", "runbooks", "drills", "faults", "sandbox")


def create_app(settings: Settings, telemetry: Telemetry) -> FastAPI:
    """The console as an ASGI application; one in a process, for NiceGUI keeps its pages in the module."""
    console = Console(settings, Sources.open(settings), Access(settings.token))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(_look_for_ever(console))
        yield
        looking.cancel()
        await console.sources.close()
        await asyncio.to_thread(telemetry.shutdown)

    app = FastAPI(
        title="Firedrill console",
        lifespan=lifespan,
        telemetry=FASTAPI_TELEMETRY_OFF,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    install_health(app, telemetry.metrics, {})
    app.state.console = console
    install_frame(app, console)
    for name in PAGES:
        import_module(f"console.pages.{name}").install(console)
    ui.run_with(
        app,
        title="Firedrill",
        favicon=STATIC / "flame.svg",
        dark=None,
        tailwind=False,
        reconnect_timeout=10.0,
        show_welcome_message=False,
        binding_refresh_interval=None,
    )
    app.add_middleware(Guard, access=console.access)
    return app


async def _look_for_ever(console: Console) -> None:
    """While somebody looks at a page, see which backends answer, those included that it does not ask."""
    while True:
        await asyncio.sleep(LOOK_EVERY_SECONDS)
        if any(client.has_socket_connection for client in Client.instances.values()):
            await console.sources.look()


def from_environment() -> FastAPI:
    """The console set up by the environment, as uvicorn --factory wants it."""
    telemetry = Telemetry.start(TelemetrySettings.from_environment(os.environ, service="console"))
    return create_app(Settings.from_environment(os.environ), telemetry)
