"""Numbers from the environment, with an error that says what to do."""

from collections.abc import Mapping


def number(environ: Mapping[str, str], name: str, default: float, *, low: float, high: float) -> float:
    """The number under `name`, or `default` where there is none. ValueError outside of `low` to `high`."""
    raw = (environ.get(name) or "").strip() or str(default)
    try:
        value = float(raw)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise ValueError(f"{name} must be a number from {low:g} to {high:g}, not {raw!r}: correct it in .env")
    return value
