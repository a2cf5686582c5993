"""A fraud model as data: boosted trees in JSON, evaluated in plain Python."""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SHIPPED: Final = Path(__file__).with_name("model.json")
"""The model that ml serves and that fds decides by when ml is away."""
LARGEST_VALUE: Final = 1e12
"""Feature values are cut to this size, far above any real one, so that single precision can hold them."""
_FLOAT = struct.Struct("f")


@dataclass(frozen=True)
class Tree:
    """One regression tree as parallel lists; node 0 is the root, a leaf has feature -1."""

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]
    value: tuple[float, ...]

    def at(self, row: Sequence[float]) -> float:
        """The value of the leaf that `row` falls into."""
        node = 0
        while (index := self.feature[node]) >= 0:
            node = self.left[node] if row[index] <= self.threshold[node] else self.right[node]
        return self.value[node]


@dataclass(frozen=True)
class Reference:
    """How one feature was distributed in training: upper edges of all bins but the last, and their shares."""

    edges: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Model:
    """Boosted trees: probability = logistic(base + rate x sum of the trees)."""

    version: str
    features: tuple[str, ...]
    base: float
    rate: float
    trees: tuple[Tree, ...]
    metrics: Mapping[str, float]
    reference: Mapping[str, Reference]

    def probability(self, row: Sequence[float]) -> float:
        """The probability of fraud, 0 to 1, for a row of `features`.

        Values are rounded to single precision first, as scikit-learn does before it compares them.
        """
        single = [
            _FLOAT.unpack(_FLOAT.pack(min(LARGEST_VALUE, max(-LARGEST_VALUE, value))))[0] for value in row
        ]
        logit = self.base + self.rate * sum(tree.at(single) for tree in self.trees)
        if logit >= 0:
            return 1.0 / (1.0 + math.exp(-logit))
        exponential = math.exp(logit)
        return exponential / (1.0 + exponential)


def load(text: str) -> Model:
    """The model in `text`, as the trainer writes it. Raises ValueError or KeyError when it is none."""
    document: dict[str, Any] = json.loads(text)
    return Model(
        version=document["version"],
        features=tuple(document["features"]),
        base=document["base"],
        rate=document["rate"],
        trees=tuple(Tree(*(tuple(column) for column in tree)) for tree in document["trees"]),
        metrics=document["metrics"],
        reference={
            name: Reference(tuple(edges), tuple(shares))
            for name, (edges, shares) in document["reference"].items()
        },
    )
