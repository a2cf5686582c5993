"""A health check that needs no tool in the image: `python -m telemetry.probe URL` exits 0 on a 2xx answer."""

import sys
import urllib.error
import urllib.request


def main(url: str) -> int:
    """Ask `url` once, for 3 seconds at most; return 0 for a 2xx answer, otherwise 1 with the reason on stderr."""
    try:
        with urllib.request.urlopen(url, timeout=3):  # noqa: S310 - the URL comes from docker-compose.yml
            return 0
    except (urllib.error.URLError, OSError, ValueError) as error:
        print(f"{url}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
