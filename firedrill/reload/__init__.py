"""`firedrill reload`: rules and configs checked by the components' own tools, then reloaded."""

from firedrill.reload.command import main

__all__ = ["main"]
