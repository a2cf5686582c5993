"""The page of traces."""

from fastapi import Request
from nicegui import ui

from console import frame
from console.frame import Console


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/traces")
    async def traces(request: Request) -> None:
        with frame.page(console, request, "Traces", here="/traces"):
            frame.text("Traces", tag="h1")
            frame.note("This page is being built.")
