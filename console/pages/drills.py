"""The page of drills."""

from fastapi import Request
from nicegui import ui

from console import frame
from console.frame import Console


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/drills")
    async def drills(request: Request) -> None:
        with frame.page(console, request, "Drills", here="/drills"):
            frame.text("Drills", tag="h1")
            frame.note("This page is being built.")
