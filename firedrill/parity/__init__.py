"""What a running stack offers, in one document, and how two differ: docker and local must not."""

from firedrill.parity.compare import Difference, Verdict, compare, declared
from firedrill.parity.document import Document, load, save
from firedrill.parity.reading import read

__all__ = ["Difference", "Document", "Verdict", "compare", "declared", "load", "read", "save"]
