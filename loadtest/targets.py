"""Which hosts load may be sent to: this machine and the services of this stack, nothing else."""

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

SERVICE_NAMES = frozenset({"judgment", "fds", "workflow", "ecommerce"})
DEFAULT_URLS = {"judgment": "http://127.0.0.1:8010", "fds": "http://127.0.0.1:8001"}

Resolve = Callable[[str], Sequence[str]]


class RefusedTrafficError(ValueError):
    """Traffic that is not sent: to a foreign host, or beyond a bound; the text says what to do."""


@dataclass(frozen=True)
class Targets:
    """The base URLs that traffic goes to, each checked by `checked_url`."""

    judgment: str
    fds: str

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, resolve: Resolve | None = None) -> "Targets":
        """From JUDGMENT_URL and FDS_URL, by default this machine; RefusedTrafficError for a foreign host."""
        urls = {
            name: checked_url(environ.get(f"{name.upper()}_URL") or default, resolve=resolve)
            for name, default in DEFAULT_URLS.items()
        }
        return cls(**urls)


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
