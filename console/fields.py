"""Forms of plain HTML: searches that stand in the address, and changes that are sent to the server."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from nicegui import ui
from nicegui.element import Element
from nicegui.events import GenericEventArguments

from console.frame import text
from firedrill.errors import FiredrillError

SINCE = {
    "5m": "5 minutes",
    "15m": "15 minutes",
    "1h": "1 hour",
    "3h": "3 hours",
    "12h": "12 hours",
    "2d": "2 days",
}
_GATHER = "(event) => { event.preventDefault(); emit(Object.fromEntries(new FormData(event.target))) }"
Changed = Callable[[Mapping[str, str]], Awaitable[None]]


@contextmanager
def search(action: str) -> Iterator[Element]:
    """A form whose fields become the address of the same page, so that a search can be kept and shared."""
    with ui.element("form").classes("fd-search").props(f"method=get action={action} role=search") as form:
        yield form


@contextmanager
def change(done: Changed) -> Iterator[Element]:
    """A form that `done` gets on the server, field by field; what it refuses is shown."""

    async def submitted(event: GenericEventArguments) -> None:
        args = event.args if isinstance(event.args, dict) else {}
        try:
            await done({str(name): str(value) for name, value in args.items()})
        except FiredrillError as error:
            tell(error)

    with ui.element("form").classes("fd-change") as form:
        yield form
    form.on("submit", submitted, js_handler=_GATHER)


def tell(error: FiredrillError) -> None:
    """What failed, why and what to do, until it is closed."""
    words = "\n".join(part for part in (error.what, error.why, error.todo) if part)
    ui.notify(words, type="negative", multi_line=True, timeout=8000, close_button="Close")


@contextmanager
def labelled(label: str, *, classes: str = "", hint: str = "") -> Iterator[Element]:
    """A field with its name above it."""
    with ui.element("label").classes(f"fd-field {classes}".strip()) as box:
        text(label, tag="span", classes="fd-label")
        yield box
        if hint:
            text(hint, tag="span", classes="fd-hint")


def entry(
    name: str,
    value: str,
    *,
    kind: str = "text",
    placeholder: str = "",
    choices: Sequence[str] = (),
    attributes: Mapping[str, str] | None = None,
) -> Element:
    """A line to type in; `choices` are offered, others are possible."""
    field = ui.element("input").classes("fd-input")
    # The attribute, by ^, not the property: Vue would set that again, over what is typed, with each change
    # of anything on the page.
    field.props["^value"] = value
    field.props.update({"name": name, "type": kind, "autocomplete": "off", "spellcheck": "false"})
    field.props.update(attributes or {})
    if placeholder:
        field.props["placeholder"] = placeholder
    if choices:
        with ui.element("datalist") as offered:
            for choice in choices:
                ui.element("option").props["value"] = choice
        field.props["list"] = offered.html_id
    return field


def tick(name: str, label: str, *, on: bool) -> Element:
    """A box to tick."""
    with ui.element("label").classes("fd-tick") as box:
        field = ui.element("input")
        field.props.update({"name": name, "type": "checkbox", "value": "1"})
        if on:
            field.props["checked"] = True
        text(label, tag="span")
    return box


def choice(name: str, options: Mapping[str, str], value: str) -> Element:
    """One of `options`, value to words; a value that is none of them is offered too."""
    known = options if value in options else {value: value, **options}
    with ui.element("select").classes("fd-select") as select:
        select.props["name"] = name
        for each, words in known.items():
            option = text(words, tag="option")
            option.props["value"] = each
            if each == value:
                option.props["selected"] = True
    return select


def submit(label: str, *, main: bool = True) -> Element:
    """The button that sends the form."""
    button = text(label, tag="button", classes="fd-button" + (" fd-main-action" if main else ""))
    return button.props("type=submit")


def button(label: str, clicked: Callable[[], Awaitable[None]], *, classes: str = "") -> Element:
    """A button; what its action refuses is shown."""
    made = text(label, tag="button", classes=f"fd-button {classes}".strip()).props("type=button")

    async def tried() -> None:
        try:
            await clicked()
        except FiredrillError as error:
            tell(error)

    made.on("click", tried, [])
    return made
