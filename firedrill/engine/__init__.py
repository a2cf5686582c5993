"""The container engine: what it is, why it cannot be used, what its messages mean."""

from firedrill.engine.facts import Engine, Verdict, judge, read_engine
from firedrill.engine.messages import classify
from firedrill.engine.prepare import prepare, question

__all__ = ["Engine", "Verdict", "classify", "judge", "prepare", "question", "read_engine"]
