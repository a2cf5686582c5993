"""From a path to its route's template, before the request is handled, with bounded answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import Mount

UNKNOWN = "unknown"


class Routes:
    """The templates of an application's routes; unmatched paths are all the same `unknown`."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._size = -1
        self._static: dict[str, str] = {}
        self._dynamic: list[tuple[Callable[[str], re.Match[str] | None], str]] = []

    def template(self, scope: Any) -> str:
        """The template of an ASGI scope's path, such as /items/{id}, or `unknown`."""
        if len(self._app.router.routes) != self._size:
            self._read()
        path = scope["path"]
        root = scope.get("root_path", "")
        if root and path.startswith(root):
            path = path[len(root) :] or "/"
        found = self._static.get(path)
        if found is not None:
            return found
        for match, template in self._dynamic:
            if match(path):
                return template
        return UNKNOWN

    def _read(self) -> None:
        self._static.clear()
        self._dynamic.clear()
        self._size = len(self._app.router.routes)
        for route in iter_route_contexts(self._app.router.routes):
            template = route.path_format
            pattern = getattr(route, "path_regex", None)
            if template is None or pattern is None:
                continue
            if isinstance(route.original_route, Mount):
                template = route.path or "/"
                self._dynamic.append((pattern.match, template))
            elif "{" in template:
                self._dynamic.append((pattern.match, template))
            else:  # an earlier route with a parameter may take this path
                earlier = next((name for match, name in self._dynamic if match(template)), template)
                self._static.setdefault(template, earlier)
