"""The document: nested mappings of names down to sorted lists and texts, so that any two can be compared.

about       runtime, pace, started services: for the reader, not compared
targets     job/instance: labels and health
rules       group: name{labels}: expression, duration, file
metrics     job: family: type, and the label names of its series, where there are any
logs        service: label names, structured metadata names, systems
spans       service: span name (kind): attribute names, those that most have, how many were seen
resources   service: names of the resource's attributes
"""

import json
from pathlib import Path
from typing import Any

from firedrill.errors import UsageError

Document = dict[str, Any]
PARTS = ("targets", "rules", "metrics", "logs", "spans", "resources")


def save(path: Path, document: Document) -> None:
    """Write it as JSON, sorted, so that a text tool shows the same differences."""
    path.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def load(path: Path) -> Document:
    """Read what `save` wrote. Raises UsageError for a file that is not one."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{path} cannot be read", str(error), "write it: python -m firedrill.parity write FILE"
        ) from None
    lacking = [part for part in PARTS if not isinstance(found, dict) or not isinstance(found.get(part), dict)]
    if lacking:
        raise UsageError(f"{path} is no document of parity", f"it lacks {', '.join(lacking)}")
    return dict(found)
