"""`firedrill load`: bounded traffic in named shapes, what it achieved, and what limits the stack."""

from firedrill.load.command import main

__all__ = ["main"]
