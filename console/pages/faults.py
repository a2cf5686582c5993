"""Faults: what can be broken in each service, set and cleared by hand, and what is in now."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fastapi import Request
from nicegui import ui
from nicegui.element import Element

from console import fields, frame
from console.faults.forms import (
    DEFAULT_TTL_SECONDS,
    MAXIMUM_TTL_SECONDS,
    Field,
    Row,
    asked,
    checked_ttl,
    rows,
)
from console.frame import Console, Viewer
from console.sandbox.secret import is_hidden
from console.sources import SourceError, SourceRefused
from firedrill.fault.client import Found

FRESH_SECONDS = 2.0


def install(console: Console) -> None:
    """Register the page."""

    @ui.page("/faults")
    async def faults(request: Request) -> None:
        with frame.page(console, request, "Faults", here="/faults") as viewer:
            shown = _Page(viewer)
            await viewer.keep_fresh(FRESH_SECONDS, shown.update)


class _Page:
    """A card for each fault, made once; only what is in changes, so that nobody loses what they type."""

    def __init__(self, viewer: Viewer) -> None:
        self._viewer, self._source = viewer, viewer.console.sources.faults
        self._cards: dict[str, _Card] = {}
        self._troubles: list[str] = []
        with ui.element("div").classes("fd-head"):
            frame.text("Faults", tag="h1")
            frame.text("Break something on purpose; it heals itself when its time is over.",
                       tag="span", classes="fd-quiet")  # fmt: skip
        viewer.hint_at_token("Breaking and healing")
        self._trouble = ui.element("div").props("role=status")
        self._sum = ui.element("div").classes("fd-row ft-sum").props("role=status aria-live=polite")
        self._place = ui.element("div")
        self._in: list[str] | None = None

    async def update(self) -> None:
        """Ask every service."""
        told, errors = await self._source.all()
        # A sandbox run's own fault is for the trainee to find.
        found = [replace(one, active=None) if is_hidden(one.service, one.name) else one for one in told]
        self._draw_troubles(errors)
        self._make(found)
        made = rows(found, now=frame.now())
        for row in made:
            self._cards[row.full_name].show(row)
        self._draw_sum([row for row in made if row.left is not None])

    def _make(self, found: Sequence[Found]) -> None:
        new = {one.service for one in found if one.full_name not in self._cards}
        for service in sorted(new):
            with self._place, ui.element("section").classes("fd-section").props(f"aria-label={service}"):
                frame.text(service, tag="h2")
                with ui.element("div").classes("ft-cards"):
                    for one in found:
                        if one.service == service:
                            self._cards[one.full_name] = _Card(self._viewer, one, self.update)

    def _draw_sum(self, set_: Sequence[Row]) -> None:
        names = [row.full_name for row in set_]
        if names == self._in:
            return
        self._in = names
        self._sum.clear()
        with self._sum:
            if not names:
                frame.text("Nothing is broken on purpose now.", classes="fd-quiet")
                return
            frame.text(f"In now: {', '.join(names)}", tag="strong", classes="fd-bad")
            if self._viewer.may_change:
                fields.button("Heal all", self._heal_all)

    async def _heal_all(self) -> None:
        if not self._viewer.may_change:
            return
        for service in {name.partition("/")[0] for name in self._in or ()}:
            await self._source.clear(service)
        await self.update()

    def _draw_troubles(self, errors: Sequence[SourceError]) -> None:
        """A service without the switch says so; one that does not answer is named by the frame."""
        words = [f"{one.name}: {one.why}" for one in errors if isinstance(one, SourceRefused)]
        if words == self._troubles:
            return
        self._troubles = words
        self._trouble.clear()
        with self._trouble:
            for each in words:
                frame.note(each)


class _Card:
    """One fault with its form."""

    def __init__(self, viewer: Viewer, fault: Found, update: frame.Update) -> None:
        self._viewer, self._fault, self._update = viewer, fault, update
        self._source = viewer.console.sources.faults
        self._was: object = ()
        row = rows([fault], now=frame.now())[0]
        with (
            ui.element("article")
            .classes("fd-box ft-card")
            .props(f"data-fault={fault.full_name}") as self._box
        ):
            with ui.element("div").classes("fd-row"):
                frame.text(fault.name, tag="strong", classes="fd-mono")
                self._state = ui.element("span").classes("fd-row ft-state")
            frame.text(fault.help, classes="fd-quiet")
            if viewer.may_change:
                self._form(row)
            else:
                for field in row.fields:
                    _described(field)

    def show(self, row: Row) -> None:
        """What is in, and until when."""
        now = (row.values, row.left is not None, self._expires(row))
        if now == self._was:
            return
        self._was = now
        self._box.classes(
            add="ft-in" if row.left is not None else "", remove="" if row.left is not None else "ft-in"
        )
        self._state.clear()
        if row.left is None:
            return
        with self._state:
            frame.text("in", tag="span", classes="fd-badge fd-bad")
            frame.text(row.values, tag="span")
            with ui.element("span").classes("fd-quiet"):
                frame.text("until ", tag="span")
                frame.when(frame.now() + row.left)
            if self._viewer.may_change:
                fields.button("Heal", self._heal)

    def _expires(self, row: Row) -> int | None:
        return None if row.left is None else round(frame.now() + row.left)

    def _form(self, row: Row) -> None:
        with fields.change(self._set):
            for field in row.fields:
                with fields.labelled(field.name, hint=_hint(field)):
                    _field(field)
            with fields.labelled("stays in for", hint=f"seconds, up to {MAXIMUM_TTL_SECONDS}"):
                fields.entry("ttl", str(DEFAULT_TTL_SECONDS), kind="number",
                             attributes={"min": "1", "max": str(MAXIMUM_TTL_SECONDS)})  # fmt: skip
            fields.submit("Break", main=False)

    async def _set(self, typed: Mapping[str, str]) -> None:
        if not self._viewer.may_change:
            return
        values = asked(
            self._fault, {name.removeprefix("p:"): text for name, text in typed.items() if name[:2] == "p:"}
        )
        ttl = checked_ttl(typed.get("ttl", ""))
        await self._source.set(self._fault.service, self._fault.name, values, ttl_seconds=ttl)
        await self._update()

    async def _heal(self) -> None:
        if self._viewer.may_change:
            await self._source.clear(self._fault.service, self._fault.name)
            await self._update()


def _field(field: Field) -> Element:
    if field.choices:
        return fields.choice(f"p:{field.name}", {one: one for one in field.choices}, field.value)
    return fields.entry(f"p:{field.name}", field.value)


def _hint(field: Field) -> str:
    return ", ".join(part for part in (field.unit, field.bounds, field.help) if part)


def _described(field: Field) -> None:
    with ui.element("div"):
        frame.text(field.name, tag="code")
        frame.text(f" {field.value} ({_hint(field)})", tag="span", classes="fd-quiet")
