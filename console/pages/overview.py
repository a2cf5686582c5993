"""The page of overview."""

from fastapi import Request
from nicegui import ui

from console import frame
from console.frame import Console


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/")
    async def overview(request: Request) -> None:
        with frame.page(console, request, "Overview", here="/"):
            frame.text("Overview", tag="h1")
            frame.note("This page is being built.")
