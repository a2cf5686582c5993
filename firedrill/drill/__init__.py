"""Drills: inject a fault, see its alert fire and its notice arrive, heal, see it clear; each step timed."""

from .command import main

__all__ = ["main"]
