"""Log lines of libraries, through the standard library or structlog, into the same pipe."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import structlog

from telemetry.rendering import LEVELS
from telemetry.scope import current_place

_QUIET_BELOW_WARNING = ("httpx", "httpcore", "asyncio", "sqlalchemy", "urllib3", "watchfiles")
_WITH_OWN_HANDLERS = ("uvicorn", "uvicorn.error", "uvicorn.access")
_ACCESS = "uvicorn.access"  # our own line a request says more, and does not mention health checks
_REPEATERS = ("opentelemetry", "urllib3")
REPEAT_SECONDS = 60.0


class RepeatFilter:
    """Lets each message of OpenTelemetry through once a minute: a dead collector repeats itself."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], float] = {}

    def admits(self, record: logging.LogRecord) -> bool:
        """Whether this record is to be written."""
        if not record.name.startswith(_REPEATERS):
            return True
        key = (record.name, str(record.msg)[:120])
        now = self._clock()
        if now - self._seen.get(key, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        if len(self._seen) > 200:
            self._seen.clear()
        self._seen[key] = now
        return True


class _Handler(logging.Handler):
    """Hands records to the pipeline of the running request, or to the process's."""

    def __init__(self) -> None:
        super().__init__()
        self._filter = RepeatFilter()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue the record as a line of the component that bears its logger's name."""
        pipeline = current_place().pipeline
        if pipeline is None or record.levelno < pipeline.level or not self._filter.admits(record):
            return
        try:
            message = record.getMessage()
        except Exception:  # wrong arguments in someone else's call
            message = str(record.msg)
        fields: dict[str, object] = {}
        if record.exc_info and record.exc_info[1] is not None:
            fields["exc"] = record.exc_info[1]
        level = max((number for number in LEVELS.values() if number <= record.levelno), default=10)
        pipeline.emit(level, record.name, message, fields)


def capture_standard_logging(level: int) -> None:
    """Replace the root's console handlers and uvicorn's own by ours; other handlers stay."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, _Handler) or type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
    root.addHandler(_Handler())
    root.setLevel(level)
    for name in _WITH_OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = name != _ACCESS
    for name in _QUIET_BELOW_WARNING:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)


def capture_structlog() -> None:
    """Send what is logged with structlog itself the same way."""

    def hand_over(_: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        pipeline = current_place().pipeline
        level = LEVELS.get({"warn": "WARNING", "exception": "ERROR"}.get(method, method.upper()), 20)
        if pipeline is not None and level >= pipeline.level:
            fields: dict[str, object] = dict(event)
            message, component = fields.pop("event", ""), fields.pop("component", "structlog")
            pipeline.emit(level, str(component), str(message), fields)
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.contextvars.merge_contextvars, hand_over])
