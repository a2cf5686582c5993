"""Numbers with their units, as a person reads them; static/console.js does the same for axes."""

import math

NONE = "\u2013"
_NOT_FINITE = {"inf": "∞", "-inf": "-∞"}
_SHORT = ((1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " K"))
_BYTES = ((2.0**40, " TiB"), (2.0**30, " GiB"), (2.0**20, " MiB"), (2.0**10, " KiB"))
_TIMES = ((86400.0, " d"), (3600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"), (1e-6, " µs"))
_RATES = {"reqps": " req/s", "ops": " ops/s", "Bps": " B/s"}
_CURRENCIES = {"currencyUSD": "$", "currencyKRW": "₩", "currencyEUR": "€"}


def number(value: float | None, unit: str = "short", decimals: int | None = None) -> str:
    """The value with its unit; a dash for none, NaN included."""
    if value is None or not math.isfinite(value):
        return _NOT_FINITE.get(str(value), NONE)
    if unit in {"s", "ms"}:
        return _time(value / 1000 if unit == "ms" else value, decimals)
    if unit in {"percentunit", "percent"}:
        percent = value * 100 if unit == "percentunit" else value
        return f"{_plain(percent, decimals)}%"
    if unit in _CURRENCIES:
        return f"{_CURRENCIES[unit]}{_scaled(value, _SHORT, decimals)}"
    if unit == "bytes":
        return _scaled(value, _BYTES, decimals, " B")
    return _scaled(value, _SHORT, decimals) + _RATES.get(unit, "")


def _time(value: float, decimals: int | None) -> str:
    if value == 0:
        return "0 s"
    for size, name in _TIMES:
        if abs(value) >= size * (2 if size == 60.0 else 1):
            return _plain(value / size, decimals) + name
    return _plain(value / 1e-6, decimals) + " µs"


def _scaled(
    value: float, sizes: tuple[tuple[float, str], ...], decimals: int | None, otherwise: str = ""
) -> str:
    for size, name in sizes:
        if abs(value) >= size:
            return _plain(value / size, decimals) + name
    return _plain(value, decimals) + otherwise


def _plain(value: float, decimals: int | None) -> str:
    """Three figures, or as many decimals as are asked for."""
    if decimals is None:
        size = abs(value)
        decimals = 0 if size >= 100 or value == 0 else 1 if size >= 10 else 2 if size >= 0.1 else 3
        text = f"{value:.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return f"{value:.{decimals}f}"
