"""The page of logs."""

from fastapi import Request
from nicegui import ui

from console import frame
from console.frame import Console


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/logs")
    async def logs(request: Request) -> None:
        with frame.page(console, request, "Logs", here="/logs"):
            frame.text("Logs", tag="h1")
            frame.note("This page is being built.")
