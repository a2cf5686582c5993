"""A health check that needs no tool in the image: `python -m telemetry.probe URL` exits 0 on a 2xx answer."""

import sys
import urllib.error
import urllib.request


def main(url: str) -> int:
    """Ask `url` once, for 3 seconds at most; give 0 for a 2xx answer, else 1 and the reason."""
    try:
        with urllib.request.urlopen(url, timeout=3):
            return 0
    except (urllib.error.URLError, OSError, ValueError) as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
