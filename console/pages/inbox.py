"""The page of inbox."""

from fastapi import Request
from nicegui import ui

from console import frame
from console.frame import Console


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/inbox")
    async def inbox(request: Request) -> None:
        with frame.page(console, request, "Inbox", here="/inbox"):
            frame.text("Inbox", tag="h1")
            frame.note("This page is being built.")
