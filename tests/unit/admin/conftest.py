"""A PostgreSQL of these tests' own, as those of fds have it."""

from tests.unit.fds.conftest import postgres

__all__ = ["postgres"]
