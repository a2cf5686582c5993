"""What the engine needs of the world; adapters fulfil it, faults wrap it, tests fake it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from services.judgment.domain import Execution, Filter, Opinion, Reply, Value
from services.judgment.rules import Workflow


class RuleBook(Protocol):
    """Where the rules of a workflow come from."""

    async def workflow(self, workflow_id: str) -> Workflow:
        """The workflow; raises UnknownError or RuleBookBrokenError."""


class Llm(Protocol):
    """A language model that is asked for an opinion."""

    async def ask(self, model: str, workflow: Workflow, case: Mapping[str, Value]) -> Reply:
        """The model's reply; raises LlmFailedError. The caller sets the deadline."""


class Cache(Protocol):
    """Opinions kept for a while."""

    async def get(self, key: str) -> Opinion | None:
        """The kept opinion, or None; raises CacheUnavailableError."""

    async def put(self, key: str, opinion: Opinion) -> None:
        """Keep an opinion; raises CacheUnavailableError."""


class Store(Protocol):
    """Executions kept for good."""

    async def save(self, execution: Execution) -> None:
        """Return once the execution is committed; raises StoreUnavailableError."""

    async def get(self, execution_id: str) -> Execution | None:
        """The execution, or None; raises StoreUnavailableError."""

    async def find(self, wanted: Filter) -> Sequence[Execution]:
        """The newest executions that match; raises StoreUnavailableError."""
