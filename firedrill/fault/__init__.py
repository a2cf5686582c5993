"""Faults by hand: what can be broken in the running stack, breaking it, and healing it."""

from firedrill.fault.command import clear, listing, set_fault

__all__ = ["clear", "listing", "set_fault"]
