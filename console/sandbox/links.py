"""Where a step of the expert's path, and a page's own links, are in this console."""

import re
import shlex
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

from console.sandbox.model import LinkKind

SINCE = "15m"
_RUNBOOK = re.compile(r"/runbooks/([\w-]+)/([\w-]+)")
_BOARD = re.compile(r"/d/([\w-]+)")


def address(kind: LinkKind, link: str) -> str:
    """The page of the console for a link of an incident's file."""
    if kind == "board":
        return f"/boards/{quote(link)}"
    if kind == "runbook":
        return f"/runbooks/{quote(link)}"
    if kind == "logs":
        return "/logs?" + urlencode({"query": link, "since": SINCE})
    if kind == "traces":
        return "/traces?" + urlencode({**traces_form(link), "since": SINCE})
    if kind == "metrics":
        return "/sandbox/query?" + urlencode({"expr": link, "since": SINCE})
    return link


def traces_form(link: str) -> dict[str, str]:
    """The form of the traces page for `service=x operation="y" minDuration=2s tags={"error":"true"}`."""
    form = {}
    for word in shlex.split(re.sub(r"tags=(\{.*?\})", lambda found: f"tags='{found[1]}'", link)):
        name, _, value = word.partition("=")
        if name == "minDuration":
            form["shortest"] = value
        elif name == "maxDuration":
            form["longest"] = value
        elif name == "tags":
            pairs = re.findall(r'"([\w.-]+)"\s*:\s*"([^"]*)"', value)
            form["tags"] = " ".join(
                f'{key}="{word}"' if " " in word else f"{key}={word}" for key, word in pairs
            )
        else:
            form[name] = value
    return form


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def own(links: Mapping[str, str]) -> dict[str, str]:
    """A notification's links as pages of this console, by label; what leads elsewhere is left out."""
    found = {}
    for label, url in links.items():
        path = urlsplit(url).path
        if match := _RUNBOOK.search(path):
            found[label] = f"/runbooks/{match[1]}/{match[2]}"
        elif match := _BOARD.search(path):
            found[label] = f"/boards/{match[1]}"
    return found
