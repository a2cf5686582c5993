"""The page of boards."""

from fastapi import Request
from nicegui import ui

from console import frame
from console.frame import Console


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/boards")
    async def boards(request: Request) -> None:
        with frame.page(console, request, "Boards", here="/boards"):
            frame.text("Boards", tag="h1")
            frame.note("This page is being built.")
