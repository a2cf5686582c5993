"""The real fds with a threat feed that fails and says in its error what it was asked about."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fastapi import FastAPI

from services.fds.app import create_app, real_peers
from services.fds.domain import Indicator, IndicatorKind
from services.fds.settings import from_environment


class LeakyFeed:
    """A threat feed that is no good."""

    async def matches(self, seen: Mapping[IndicatorKind, str]) -> Sequence[Indicator]:
        """Never answers."""
        raise RuntimeError(f"the feed knows nothing of {dict(seen)}")


def create() -> FastAPI:
    """For uvicorn's --factory."""
    settings = from_environment(os.environ)
    return create_app(settings, peers=replace(real_peers(settings), feed=LeakyFeed()))
