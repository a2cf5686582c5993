"""Write Grafana's alert rules from those of Prometheus.

Usage: generate_grafana.py [--check]   (--check writes nothing and fails when the file is not current)
"""

import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from firedrill.grafana import rules  # noqa: E402 - after the path is set


def main(arguments: Sequence[str]) -> int:
    """Write the file, or with --check say that it is not current."""
    path, text = ROOT / rules.TARGET, rules.render(ROOT)
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    if "--check" in arguments:
        print(f"not current: {rules.TARGET}; run `make generate`", file=sys.stderr)
        return 1
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(f"wrote {rules.TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
