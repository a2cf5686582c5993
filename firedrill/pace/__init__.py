"""The pace transformation: rules and timings written at production pace, copied at a tenth of every duration.

Not divided are traffic floors and cost thresholds; a rule that needs more than the division says so in a
comment of its expression (see `firedrill.pace.promql`).
"""

from .check import main
from .documents import PACES, pace_duration, pace_expression, pace_file
from .durations import format_duration, parse_duration, seconds
from .promql import PromqlError, comparisons, longest_range

__all__ = [
    "PACES",
    "PromqlError",
    "comparisons",
    "format_duration",
    "longest_range",
    "main",
    "pace_duration",
    "pace_expression",
    "pace_file",
    "parse_duration",
    "seconds",
]
