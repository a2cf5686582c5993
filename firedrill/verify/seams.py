"""What verify needs of a running stack, so that tests can stand in for it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol


class State(Protocol):
    """What the runtime says about one service."""

    @property
    def phase(self) -> str: ...
    @property
    def detail(self) -> str: ...


class RunningStack(Protocol):
    """The part of firedrill.stack.Stack that verify uses."""

    @property
    def pace(self) -> str: ...
    @property
    def root(self) -> Path: ...
    @property
    def started(self) -> frozenset[str]: ...
    @property
    def settings(self) -> Mapping[str, str]: ...
    @property
    def left_out(self) -> Mapping[str, str]: ...
    def url(self, service: str, container_port: int | None = None) -> str: ...
    def state(self) -> Mapping[str, State]: ...
