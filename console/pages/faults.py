"""The page of faults."""

from fastapi import Request
from nicegui import ui

from console import frame
from console.frame import Console


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/faults")
    async def faults(request: Request) -> None:
        with frame.page(console, request, "Faults", here="/faults"):
            frame.text("Faults", tag="h1")
            frame.note("This page is being built.")
