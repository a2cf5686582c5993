"""Links of the dashboards, which lead into Grafana and the inbox, as addresses of the console's own pages."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

_FIELD = re.compile(r"\$\{__(?:data\.fields\.(\w+)|value\.text)\}")
_SERVICE = re.compile(r'service="([^"]+)"')
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "inbox"})


def here(url: str) -> str:
    """The console's page for a link of a dashboard; other addresses as they are."""
    parts = urlsplit(url)
    local = not parts.netloc or parts.hostname in _LOOPBACK
    if local and parts.path.startswith("/runbooks/"):
        return parts.path
    if local and parts.path.startswith("/d/"):
        return "/boards/" + parts.path.split("/")[2]
    if local and parts.path == "/explore":
        return _explored(parts.query)
    if local and parts.netloc and parts.path in {"", "/"}:
        return "/inbox"
    return url


def filled(url: str, labels: Mapping[str, str], value: str) -> str:
    """A cell's link with the fields of its row filled in, each as one part of a path."""

    def part(found: re.Match[str]) -> str:
        return quote(labels.get(found[1], "") if found[1] else value, safe="")

    return here(_FIELD.sub(part, url))


def _explored(query: str) -> str:
    """A search in Grafana's Explore as the search of logs or traces here."""
    panes: dict[str, Any] = json.loads(parse_qs(query).get("panes", ["{}"])[0])
    queries = [one for pane in panes.values() for one in pane.get("queries", ())]
    asked: dict[str, Any] = queries[0] if queries else {}
    if asked.get("queryType") == "search":
        return "/traces?" + urlencode({"service": asked.get("service", "")})
    found = _SERVICE.search(asked.get("expr", ""))
    return "/logs?" + urlencode({"service": found[1]}) if found else "/logs"
