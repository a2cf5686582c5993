"""A bounded queue with one worker thread, so that telemetry never makes a request wait."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

Dropped = Callable[[str, int], None]


class _Mark:
    """Stands in the queue for "everything before me has been handled"."""

    __slots__ = ("passed",)

    def __init__(self) -> None:
        self.passed = threading.Event()


class Background(Generic[T]):
    """Hands queued items to `handle` in batches, on a daemon thread of its own.

    `put` never blocks. An item that finds the queue full, a batch whose handling raises, and what
    is left when `close` runs out of time are counted through `dropped(reason, count)`.
    """

    def __init__(
        self,
        name: str,
        handle: Callable[[list[T]], None],
        *,
        dropped: Dropped,
        capacity: int,
        batch: int,
        linger_seconds: float,
    ) -> None:
        self._name = name
        self._handle = handle
        self._dropped = dropped
        self._capacity = capacity
        self._batch = batch
        self._linger = linger_seconds
        self._closed = False
        self._abandoned = False
        self._begin()
        if hasattr(os, "register_at_fork"):
            again = weakref.WeakMethod(self._begin)
            os.register_at_fork(after_in_child=lambda: (restart := again()) and restart())

    def _begin(self) -> None:
        """Start with an empty queue; a forked child inherits neither the thread nor the items."""
        self._queue: deque[T | _Mark] = deque()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        if not self._closed:
            self._thread.start()

    def put(self, item: T) -> bool:
        """Queue one item; False when it was dropped (and counted)."""
        if self._closed:
            self._dropped("shutdown", 1)
            return False
        waiting = len(self._queue)
        if waiting >= self._capacity:
            self._dropped("queue_full", 1)
            return False
        self._queue.append(item)
        if not self._wake.is_set():
            self._wake.set()
        if waiting + 1 >= self._batch and not self._hurry.is_set():
            self._hurry.set()
        return True

    def flush(self, timeout_seconds: float) -> bool:
        """Wait until what was queued before this call has been handled; False when time ran out."""
        if not self._thread.is_alive():
            return not self._queue
        mark = _Mark()
        self._queue.append(mark)
        self._hurry.set()
        self._wake.set()
        return mark.passed.wait(timeout_seconds)

    def close(self, timeout_seconds: float, *, interrupt: Callable[[], None] | None = None) -> bool:
        """Refuse new items, handle the queued ones for at most `timeout_seconds`, count the rest.

        `interrupt` is called when time ran out; it should make a blocked `handle` return. True when
        the worker has ended.
        """
        if self._closed:
            return not self._thread.is_alive()
        deadline = time.monotonic() + timeout_seconds
        self._closed = True
        self._hurry.set()
        self._wake.set()
        self._thread.join(timeout_seconds)
        if not self._thread.is_alive():
            return True
        self._abandoned = True
        if interrupt is not None:
            interrupt()
            self._thread.join(max(0.2, deadline - time.monotonic()))
        left = 0
        while self._queue:
            left += not isinstance(self._queue.popleft(), _Mark)
        if left:
            self._dropped("shutdown", left)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if not self._closed:
                self._hurry.wait(self._linger)
            # Cleared before draining: an item that comes later sets them again.
            self._wake.clear()
            self._hurry.clear()
            self._drain()
            if self._closed and (self._abandoned or not self._queue):
                return

    def _drain(self) -> None:
        while self._queue and not self._abandoned:
            batch: list[T] = []
            mark = None
            while self._queue and len(batch) < self._batch:
                item = self._queue.popleft()
                if isinstance(item, _Mark):
                    mark = item
                    break
                batch.append(item)
            if batch:
                try:
                    self._handle(batch)
                except Exception:  # the thread's own boundary: it must outlive any batch
                    self._dropped("failed", len(batch))
            if mark is not None:
                mark.passed.set()
