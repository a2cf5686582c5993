"""The page of runbooks."""

from fastapi import Request
from nicegui import ui

from console import frame
from console.frame import Console


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/runbooks/{slice_name}/{alert}")
    async def runbook(request: Request, slice_name: str, alert: str) -> None:
        with frame.page(console, request, alert, here="/alerts"):
            frame.text(alert, tag="h1")
            frame.note("This page is being built.")
