"""The page of alerts."""

from fastapi import Request
from nicegui import ui

from console import frame
from console.frame import Console


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/alerts")
    async def alerts(request: Request) -> None:
        with frame.page(console, request, "Alerts", here="/alerts"):
            frame.text("Alerts", tag="h1")
            frame.note("This page is being built.")
