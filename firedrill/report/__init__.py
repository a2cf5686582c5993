"""Cardinality and volume of the running stack, each figure beside its budget."""

from firedrill.report.run import main

__all__ = ["main"]
