"""The values of judgment, the events that tell of it, and what can go wrong.

JudgmentError
├── BadInputError          the caller's case cannot be judged: HTTP 422
├── UnknownError           no such tenant, workflow or execution: HTTP 404
├── ReplyUnparsableError   the model answered something that is not an opinion
├── LlmFailedError         the model gave no usable opinion in time
├── StoreUnavailableError  the execution could not be kept or read
├── CacheUnavailableError  the cache did not answer: counts as a miss
├── RuleBookBrokenError    the rules of a workflow could not be opened
└── ExecutionFailedError   an execution ended with status error, for one of these or an unforeseen reason
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

Value = float | str | bool


class JudgmentError(Exception):
    """Anything that judgment can say went wrong."""


class BadInputError(JudgmentError):
    """The case cannot be judged as it was sent."""


class UnknownError(JudgmentError):
    """The tenant, workflow or execution does not exist."""


class ReplyUnparsableError(JudgmentError):
    """The model's reply is not an opinion."""


class LlmFailedError(JudgmentError):
    """The model gave no usable opinion; `reason` is timeout, unparsable or error."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"no usable opinion from the language model: {reason}")


class StoreUnavailableError(JudgmentError):
    """The database refused, failed or took too long."""


class CacheUnavailableError(JudgmentError):
    """The cache refused, failed or took too long."""


class RuleBookBrokenError(JudgmentError):
    """The rules of a workflow could not be opened."""


class ExecutionFailedError(JudgmentError):
    """An execution failed; `failure` is llm_failed, store_unavailable, rules_broken or unexpected."""

    def __init__(self, failure: str, execution_id: str, reason: str) -> None:
        self.failure, self.execution_id, self.reason = failure, execution_id, reason
        super().__init__(f"execution {execution_id} failed: {reason}")


class Policy(StrEnum):
    """What the caller asks for."""

    RULE = "rule"
    LLM = "llm"
    HYBRID = "hybrid"


class Method(StrEnum):
    """What decided, or for a failed execution what was attempted."""

    RULE = "rule"
    LLM = "llm"
    HYBRID = "hybrid_weighted"
    CACHE = "cache"


class Status(StrEnum):
    """How an execution ended."""

    SUCCESS = "success"
    ERROR = "error"


class Verdict(StrEnum):
    """What is decided about a case, from mild to strict."""

    APPROVED = "approved"
    REVIEW = "review"
    REJECTED = "rejected"


ATTEMPTED = {Policy.RULE: Method.RULE, Policy.LLM: Method.LLM, Policy.HYBRID: Method.HYBRID}


@dataclass(frozen=True)
class Model:
    """A language model with its price in USD per million tokens and its median latency in seconds."""

    name: str
    input_price: float
    output_price: float
    median_seconds: float

    def cost_usd(self, input_tokens: int, output_tokens: int) -> float:
        """The price of one call in USD."""
        return (input_tokens * self.input_price + output_tokens * self.output_price) / 1_000_000


@dataclass(frozen=True)
class Tenant:
    """A customer with the model asked first and the one asked when the first reply cannot be read."""

    id: str
    model: str
    second_model: str


@dataclass(frozen=True)
class Opinion:
    """A verdict with its confidence (0 to 1) and the reason in words."""

    verdict: Verdict
    confidence: float
    explanation: str


@dataclass(frozen=True)
class Reply:
    """What a model answered, word for word, and what it cost in USD."""

    text: str
    cost_usd: float


@dataclass(frozen=True)
class Judgment:
    """The opinion that an execution ended with and what it came from; degraded: not by the way asked for."""

    opinion: Opinion
    method: Method
    degraded: bool = False


@dataclass(frozen=True)
class Order:
    """What a caller asks for, checked and normalised."""

    tenant: Tenant
    workflow_id: str
    policy: Policy
    case: Mapping[str, Value]
    use_cache: bool = True

    @property
    def cache_key(self) -> str:
        """The same for the same question of the same tenant, whatever the order of its fields."""
        question = [self.tenant.id, self.workflow_id, self.policy, dict(self.case)]
        return hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Execution:
    """One execution as it is kept; its time in milliseconds is without the keeping; `created_at` in UTC."""

    id: str
    tenant_id: str
    workflow_id: str
    policy: Policy
    status: Status
    method: Method
    verdict: Verdict | None
    confidence: float | None
    cached: bool
    execution_time_ms: float
    trace_id: str | None
    case: Mapping[str, Value]
    explanation: str
    created_at: datetime


@dataclass(frozen=True)
class Filter:
    """Which executions to list, newest first; None means any."""

    tenant_id: str | None = None
    workflow_id: str | None = None
    status: Status | None = None
    method: Method | None = None
    limit: int = 50


@dataclass(frozen=True)
class ExecutionEnded:
    """An execution is over after `seconds`, keeping it included; `failure` is None or a short code."""

    execution: Execution
    seconds: float
    failure: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class CacheLooked:
    """The cache was asked for an answer."""

    tenant_id: str
    workflow_id: str
    hit: bool


@dataclass(frozen=True)
class CacheFailed:
    """The cache could not be used; `operation` is get or set."""

    operation: str
    reason: str


@dataclass(frozen=True)
class LlmCalled:
    """A model was called; `status` is success, parse_error, timeout or error; seconds as waited."""

    tenant_id: str
    model: str
    status: str
    seconds: float
    cost_usd: float = 0.0
    attempt: int = 1
    reason: str = ""


Event = ExecutionEnded | CacheLooked | CacheFailed | LlmCalled
