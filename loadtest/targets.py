"""Which hosts load may be sent to: this machine and the services of this stack, nothing else."""

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

SERVICE_NAMES = frozenset({"judgment", "fds", "workflow", "ecommerce", "admin"})
DEFAULT_URLS = {"judgment": "http://127.0.0.1:8010", "fds": "http://127.0.0.1:8001"}
DRILL_URLS = {**DEFAULT_URLS, "workflow": "http://127.0.0.1:8011", "ecommerce": "http://127.0.0.1:8000"}

Resolve = Callable[[str], Sequence[str]]


class RefusedTrafficError(ValueError):
    """Traffic that is not sent: to a foreign host, or beyond a bound; the text says what to do."""


@dataclass(frozen=True)
class Targets:
    """The base URLs that traffic goes to, each checked by `checked_url`; None leaves that traffic out."""

    judgment: str
    fds: str
    ecommerce: str | None = None
    workflow: str | None = None
    admin: str | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, resolve: Resolve | None = None) -> "Targets":
        """From <SERVICE>_URL; judgment and fds default to this machine. RefusedTrafficError as below."""
        return cls(**{**DEFAULT_URLS, **named_urls(environ, resolve=resolve)})


def named_urls(environ: Mapping[str, str], *, resolve: Resolve | None = None) -> dict[str, str]:
    """The checked URLs that the environment names; RefusedTrafficError for a foreign host."""
    urls = {name: environ.get(f"{name.upper()}_URL") for name in sorted(SERVICE_NAMES)}
    return {name: checked_url(url, resolve=resolve) for name, url in urls.items() if url}


def checked_url(url: str, *, resolve: Resolve | None = None) -> str:
    """`url` without a trailing slash; RefusedTrafficError unless its host is loopback or one of this stack.

    A service name may stand for any private address (a container network), never for a public one; a
    name that cannot be resolved passes only if it is a service name, as its container may not be up yet.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # half an IPv6 address
        parts = urlsplit("")
    if parts.scheme != "http" or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise _refusal("the target must look like http://127.0.0.1:8010")
    host = parts.hostname
    known = host in SERVICE_NAMES
    addresses = (resolve or _resolved)(host)
    if not addresses and not known:
        raise _refusal(f"{host} cannot be resolved")
    for text in addresses:
        address = ipaddress.ip_address(text.partition("%")[0])
        if not (address.is_loopback or (known and address.is_private and not address.is_link_local)):
            raise _refusal(f"{host} is {address}, which is not this machine")
    return url.rstrip("/")


def _refusal(why: str) -> RefusedTrafficError:
    names = ", ".join(sorted(SERVICE_NAMES))
    return RefusedTrafficError(
        f"load is sent only to this stack\n  why: {why}\n  do:  use a 127.0.0.1 address or one of: {names}"
    )


def _resolved(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return sorted({str(entry[4][0]) for entry in found})
