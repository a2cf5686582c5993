"""Sentry's envelope: how its bytes are unpacked, who sent it, and what is in it."""

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import brotli  # type: ignore[import-untyped]  # ships no types

from services.inbox.domain import Json, Refusal, RefusedMessageError, read_json, text_of

LARGEST_UNPACKED_BYTES = 4 * 1024 * 1024
LARGEST_EVENT_BYTES = 1024 * 1024  # Sentry's own limit
MOST_ITEMS = 100
PROTOCOL_VERSIONS = range(1, 9)
EVENT, TRANSACTION = "event", "transaction"
ITEM_TYPES = (
    EVENT, TRANSACTION, "session", "sessions", "client_report", "attachment", "user_report", "feedback",
    "check_in", "profile", "profile_chunk", "span", "log", "trace_metric", "statsd", "replay_event",
)  # fmt: skip
OTHER = "other"  # Sentry takes item types that it does not know, and so does the inbox
_PROJECT = re.compile(r"[0-9]{1,20}")
_KEY = re.compile(r"[0-9a-fA-F]{32}")
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Envelope:
    """What an envelope holds: the types of all its items, and its event, if there is one."""

    event_id: str
    types: tuple[str, ...]
    event: Mapping[str, Json] | None


def check_project(project: str) -> str:
    """The project's number; RefusedMessageError for anything else."""
    if not _PROJECT.fullmatch(project):
        raise RefusedMessageError(Refusal.BAD_PROJECT, "the project in the URL must be a number")
    return project


def check_auth(headers: Mapping[str, str], query: str) -> None:
    """RefusedMessageError unless a DSN's public key stands in one of the places that Sentry reads.

    `headers` has lower-case names. Any key of the right form will do: the inbox has no projects.
    """
    found = []
    for name in ("x-sentry-auth", "authorization"):
        scheme, _, rest = headers.get(name, "").partition(" ")
        if scheme.lower() == "sentry":
            pairs = (pair.partition("=") for pair in rest[:2000].split(","))
            found.append({name.strip(): value.strip() for name, _, value in pairs})
    if "sentry_" in query:
        found.append({name: values[-1] for name, values in parse_qs(query[:2000]).items()})
    if len(found) > 1:
        raise RefusedMessageError(Refusal.MISSING_AUTH, "multiple authorization payloads detected")
    if not found or not found[0].get("sentry_key"):
        raise RefusedMessageError(
            Refusal.MISSING_AUTH, "missing authorization information: send X-Sentry-Auth with sentry_key"
        )
    version = found[0].get("sentry_version", "7")
    if not _KEY.fullmatch(found[0]["sentry_key"]):
        raise RefusedMessageError(Refusal.BAD_KEY, "the DSN's public key must be 32 hexadecimal digits")
    if not (version.isascii() and version.isdigit() and int(version[:5]) in PROTOCOL_VERSIONS):
        raise RefusedMessageError(Refusal.BAD_VERSION, "unsupported protocol version: use 7")


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its Content-Encoding, at most LARGEST_UNPACKED_BYTES, or RefusedMessageError."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    try:
        if name == "gzip":
            return _bounded(_inflated(body, zlib.MAX_WBITS | 16))
        if name == "deflate":
            return _bounded(_inflated(body, zlib.MAX_WBITS))
        if name == "br":
            return _bounded(_brotli(body))
    except (zlib.error, brotli.error, EOFError) as error:
        raise RefusedMessageError(Refusal.BAD_ENCODING, f"the body is no {name}: {error}") from None
    raise RefusedMessageError(Refusal.BAD_ENCODING, "Content-Encoding must be gzip, deflate or br")


def parse_envelope(content: bytes) -> Envelope:
    """What `content` holds; RefusedMessageError for what Sentry calls an invalid envelope."""
    first, _, rest = content.partition(b"\n")
    head = _object(first, "the envelope's header")
    _check_dsn(text_of(head.get("dsn")))
    types: list[str] = []
    event: Mapping[str, Json] | None = None
    for kind, payload in _items(rest):
        if kind in (EVENT, TRANSACTION):
            if EVENT in types or TRANSACTION in types:
                raise _bad("an envelope holds one event or transaction at most")
            if len(payload) > LARGEST_EVENT_BYTES:
                raise RefusedMessageError(
                    Refusal.TOO_LARGE, f"an event is larger than {LARGEST_EVENT_BYTES} bytes"
                )
            found = _object(payload, f"the {kind}")
            event = found if kind == EVENT else None
        types.append(kind if kind in ITEM_TYPES else OTHER)
    event_id = text_of(head.get("event_id")) or (text_of(event.get("event_id")) if event else "")
    return Envelope(event_id[:36], tuple(types), event)


def _items(rest: bytes) -> Iterator[tuple[str, bytes]]:
    at, count = 0, 0
    while at < len(rest):
        if rest[at : at + 1] == b"\n":  # empty lines may follow a payload
            at += 1
            continue
        count += 1
        if count > MOST_ITEMS:
            raise _bad(f"an envelope holds at most {MOST_ITEMS} items")
        end = _line_end(rest, at)
        head = _object(rest[at:end], "an item's header")
        kind = head.get("type")
        if not isinstance(kind, str) or not kind:
            raise _bad("an item's header must have a type")
        begin = min(end + 1, len(rest))
        at = _payload_end(rest, begin, head.get("length"))
        yield kind, rest[begin:at]


def _payload_end(rest: bytes, begin: int, length: Json) -> int:
    if length is None:
        return _line_end(rest, begin)
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise _bad("an item's length must be a number of bytes")
    end = begin + length
    if end > len(rest):
        raise _bad("an item is shorter than its header says")
    if rest[end : end + 1] not in (b"", b"\n"):
        raise _bad("an item is longer than its header says")
    return end


def _line_end(rest: bytes, begin: int) -> int:
    end = rest.find(b"\n", begin)
    return len(rest) if end < 0 else end


def _object(content: bytes, what: str) -> Mapping[str, Json]:
    try:
        found = read_json(content)
    except ValueError as error:
        raise _bad(f"{what} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise _bad(f"{what} is not a JSON object")
    return found


def _check_dsn(dsn: str) -> None:
    try:
        usable = not dsn or urlsplit(dsn).scheme in {"http", "https"}
    except ValueError:
        usable = False
    if not usable:
        raise _bad("the dsn in the envelope's header is no DSN")


def _bad(explanation: str) -> RefusedMessageError:
    return RefusedMessageError(Refusal.BAD_ENVELOPE, f"invalid event envelope: {explanation}")


def _bounded(parts: Iterator[bytes]) -> bytes:
    found: list[bytes] = []
    size = 0
    for part in parts:
        size += len(part)
        if size > LARGEST_UNPACKED_BYTES:
            raise RefusedMessageError(
                Refusal.TOO_LARGE, f"the unpacked body is larger than {LARGEST_UNPACKED_BYTES} bytes"
            )
        found.append(part)
    return b"".join(found)


def _inflated(body: bytes, window: int) -> Iterator[bytes]:
    inflate = zlib.decompressobj(window)
    while body and not inflate.eof:
        yield inflate.decompress(body, _CHUNK)
        body = inflate.unconsumed_tail
    if not inflate.eof:
        raise EOFError("it ends too early")


def _brotli(body: bytes) -> Iterator[bytes]:
    inflate = brotli.Decompressor()
    part: bytes = inflate.process(body, output_buffer_limit=_CHUNK)
    yield part
    while not inflate.is_finished():
        if inflate.can_accept_more_data():
            raise EOFError("it ends too early")
        part = inflate.process(b"", output_buffer_limit=_CHUNK)
        yield part
