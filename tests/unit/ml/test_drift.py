"""Drift: small for what training saw, large for what it did not, gone without payments."""

import asyncio
import random

import pytest

from faults import Dice
from services.fds import model, train
from services.ml.adapters import LoadedModel, load_model
from services.ml.drift import LONGEST_SECONDS, MINIMUM, WINDOW, DriftWindow, stability_index
from services.ml.faults import FaultyScorer

MODEL = load_model()


class Clock:
    """Seconds that only the test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class OneFault:
    """A switch with one fault set."""

    def __init__(self, name: str, **parameters: float) -> None:
        self._set = {name: parameters}

    def active(self, name: str) -> dict[str, float] | None:
        return self._set.get(name)


def a_window(clock: Clock | None = None) -> DriftWindow:
    """An empty window of the shipped model."""
    return DriftWindow(MODEL.features, MODEL.reference, clock=clock or Clock())


def rows(count: int, seed: int = 99) -> list[tuple[float, ...]]:
    """Payments of the generator of training, of another seed."""
    return [model.features(case.transaction) for case in train.generate(count, seed)]


def test_the_index_by_hand() -> None:
    """Nothing for the same shares, the textbook value for others, and finite for an empty bin."""
    assert stability_index([0.5, 0.5], [500, 500]) == pytest.approx(0, abs=1e-9)
    assert stability_index([0.5, 0.5], [9000, 1000]) == pytest.approx(0.8788, abs=1e-3)
    assert 1 < stability_index([0.5, 0.5], [0, 500]) < 10


def test_what_training_saw_is_no_drift() -> None:
    """Fresh payments of the same kind stay below 0.1, whatever the window's chance says."""
    window = a_window()
    for row in rows(WINDOW):
        window.add(row)
    assert max(window.indices().values()) < 0.1


@pytest.mark.parametrize("factor", [0.05, 20.0])
def test_the_fault_drifts_the_amounts_and_nothing_else(factor: float) -> None:
    """Both ways far above 0.25; the other features stay where they were."""
    switch = OneFault("drift", factor=factor)
    scorer = FaultyScorer(LoadedModel(MODEL), switch, Dice(switch), features=MODEL.features)
    window = a_window()

    async def run() -> None:
        for row in rows(WINDOW):
            window.add((await scorer.score(row)).row)

    asyncio.run(run())
    moved = {name for name, index in window.indices().items() if index > 0.25}
    assert moved == {"log_amount", "log_amount_per_item"}


def test_a_window_says_nothing_before_it_has_enough() -> None:
    """And speaks from the first sufficient sample on."""
    window = a_window()
    for row in rows(MINIMUM - 1):
        window.add(row)
    assert (window.samples(), window.indices()) == (MINIMUM - 1, {})
    window.add(rows(1)[0])
    assert set(window.indices()) == set(MODEL.features)


def test_the_window_slides() -> None:
    """Drift that ended is forgotten after a window of payments."""
    window = a_window()
    for row in rows(WINDOW):
        window.add((row[0] + 5, *row[1:]))
    assert window.indices()["log_amount"] > 1
    for row in rows(WINDOW, seed=100):
        window.add(row)
    assert window.samples() == WINDOW
    assert window.indices()["log_amount"] < 0.1


def test_old_payments_are_forgotten_without_new_ones() -> None:
    """A shop without customers has no drift to show."""
    clock = Clock()
    window = a_window(clock)
    for row in rows(MINIMUM):
        window.add(row)
    clock.now = LONGEST_SECONDS + 1
    assert (window.samples(), window.indices()) == (0, {})


def test_counts_never_drift_from_the_rows() -> None:
    """However payments come and go, the index is that of the rows in the window."""
    clock, choose = Clock(), random.Random(5)
    window = a_window(clock)
    every = rows(3000, seed=7)
    for row in every:
        clock.now += choose.random() * 4
        window.add(row)
    alone = a_window(clock)
    for row in every[-window.samples() :]:
        alone.add(row)
    assert window.indices() == alone.indices()
