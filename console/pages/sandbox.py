"""The page of sandbox."""

from fastapi import Request
from nicegui import ui

from console import frame
from console.frame import Console


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/sandbox")
    async def sandbox(request: Request) -> None:
        with frame.page(console, request, "Sandbox", here="/sandbox"):
            frame.text("Sandbox", tag="h1")
            frame.note("This page is being built.")
