"""The counterpart of a drill: while nothing is broken no alert may fire, and how near each of them came."""

from .command import main

__all__ = ["main"]
