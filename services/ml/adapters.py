"""The model file, loaded and asked, behind the Protocol of ports.py."""

from pathlib import Path

from fraudmodel import trees
from fraudmodel.trees import SHIPPED
from services.ml.ports import Scored


def load_model(path: Path = SHIPPED) -> trees.Model:
    """The model in a file. Raises OSError and ValueError: without its model the service does not start."""
    try:
        return trees.load(path.read_text(encoding="utf-8"))
    except (KeyError, TypeError, ValueError) as error:
        what = f"{path.name} is no model ({type(error).__name__}: {error})"
        raise ValueError(f"{what}: make it with `python -m services.fds.train`") from error


class LoadedModel:
    """A model that is evaluated in this process, in place: it takes some 100 microseconds."""

    def __init__(self, model: trees.Model) -> None:
        self._model = model

    async def score(self, row: tuple[float, ...]) -> Scored:
        """As the model says."""
        return Scored(self._model.probability(row), row)
