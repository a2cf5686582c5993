"""How far the features of late are from those of training: population stability index over a window."""

import math
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from fraudmodel.trees import Reference

WINDOW: Final = 500
MINIMUM: Final = 200
"""Fewer samples say too little: chance alone gives an index of about (bins - 1) / samples, here 0.035."""
LONGEST_SECONDS: Final = 1800.0
"""Samples older than this are no longer "of late", however quiet it has been since."""


def stability_index(expected: Sequence[float], counts: Sequence[int]) -> float:
    """The population stability index of `counts` against the `expected` shares of the same bins.

    Below 0.1 nothing moved, from 0.25 on the model sees something else than it was trained on. Half a
    sample is added to each bin, so that an empty one gives a large index and not an infinite one.
    """
    total = sum(counts) + 0.5 * len(counts)
    index = 0.0
    for share, count in zip(expected, counts, strict=True):
        was, now = max(share, 1e-4), (count + 0.5) / total
        index += (now - was) * math.log(now / was)
    return index


class DriftWindow:
    """The bins of the last rows; `clock` gives seconds. It is written and read by two threads."""

    def __init__(
        self, features: Sequence[str], reference: Mapping[str, Reference], *, clock: Callable[[], float]
    ) -> None:
        self._names = tuple(features)
        self._reference = tuple(reference[name] for name in features)
        self._clock = clock
        self._rows: deque[tuple[float, tuple[int, ...]]] = deque()
        self._counts = [[0] * len(one.shares) for one in self._reference]
        self._lock = threading.Lock()

    def add(self, row: Sequence[float]) -> None:
        """Take in the newest row of features."""
        bins = tuple(bisect_left(one.edges, value) for one, value in zip(self._reference, row, strict=True))
        with self._lock:
            self._rows.append((self._clock(), bins))
            for counts, index in zip(self._counts, bins, strict=True):
                counts[index] += 1
            if len(self._rows) > WINDOW:
                self._forget_oldest()

    def samples(self) -> int:
        """How many rows the window holds now."""
        with self._lock:
            self._forget_old()
            return len(self._rows)

    def indices(self) -> Mapping[str, float]:
        """The stability index of each feature; empty while there are too few samples."""
        with self._lock:
            self._forget_old()
            if len(self._rows) < MINIMUM:
                return {}
            counted = [list(counts) for counts in self._counts]
        return {
            name: stability_index(one.shares, counts)
            for name, one, counts in zip(self._names, self._reference, counted, strict=True)
        }

    def _forget_old(self) -> None:
        limit = self._clock() - LONGEST_SECONDS
        while self._rows and self._rows[0][0] < limit:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        _, bins = self._rows.popleft()
        for counts, index in zip(self._counts, bins, strict=True):
            counts[index] -= 1
