"""How a case is judged: checked, put to a workflow's rules, and weighed against a model's opinion."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from services.judgment.domain import BadInputError, Opinion, ReplyUnparsableError, Value, Verdict

MAX_FIELDS = 50
MAX_NAME = 64
MAX_TEXT = 1000
MAX_NUMBER = 1e15  # beyond it a float no longer holds every whole number
NOTHING_MATCHED_CONFIDENCE = 0.3

STRICTNESS = {Verdict.APPROVED: 0, Verdict.REVIEW: 1, Verdict.REJECTED: 2}
KINDS: Mapping[str, tuple[type, ...]] = {"number": (int, float), "text": (str,), "flag": (bool,)}


class Operator(StrEnum):
    """How a condition compares a field with its value."""

    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    IS = "=="
    IS_NOT = "!="
    IN = "in"


@dataclass(frozen=True)
class Field:
    """A field that a workflow's rules look at; `kind` is number, text or flag."""

    name: str
    kind: str
    example: Value
    help: str


@dataclass(frozen=True)
class Condition:
    """One comparison; a missing field, or one of another kind, never fulfils it."""

    field: str
    operator: Operator
    value: Value | tuple[str, ...]

    def holds(self, case: Mapping[str, Value]) -> bool:
        """Whether `case` fulfils this condition."""
        actual = case.get(self.field)
        if actual is None:
            return False
        match self.operator, self.value:
            case Operator.IN, tuple(choices):
                return actual in choices
            case Operator.IS, wanted:
                return actual == wanted
            case Operator.IS_NOT, wanted:
                return actual != wanted
            case _, float() | int() as limit if not isinstance(actual, str):
                return _compare(float(actual), self.operator, float(limit))
        return False


def _compare(actual: float, operator: Operator, limit: float) -> bool:
    match operator:
        case Operator.LESS:
            return actual < limit
        case Operator.AT_MOST:
            return actual <= limit
        case Operator.MORE:
            return actual > limit
        case Operator.AT_LEAST:
            return actual >= limit
    return False


@dataclass(frozen=True)
class Rule:
    """Votes for `verdict` with `weight` when all its conditions hold."""

    name: str
    verdict: Verdict
    weight: float
    when: tuple[Condition, ...]


@dataclass(frozen=True)
class Workflow:
    """A kind of case with its fields, its rules and the share that rules have in a hybrid opinion."""

    id: str
    title: str
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    rule_share: float = 0.6


def normalise(case: Mapping[str, object], workflow: Workflow) -> dict[str, Value]:
    """The case with numbers as floats and texts trimmed and composed (NFC).

    Raises BadInputError naming the field: too many fields, a name or text too long, a control
    character, a number that is not finite or beyond 1e15, another type, or another kind than
    the workflow declares.
    """
    if len(case) > MAX_FIELDS:
        raise BadInputError(f"input has {len(case)} fields; at most {MAX_FIELDS} are taken")
    kinds = {field.name: field.kind for field in workflow.fields}
    result: dict[str, Value] = {}
    for raw_name, raw in case.items():
        name = _text(raw_name, "a field's name", MAX_NAME)
        if not name or name in result:
            raise BadInputError("input has a field without a name or a name given twice")
        kind = kinds.get(name)
        if kind and (not isinstance(raw, KINDS[kind]) or isinstance(raw, bool) is not (kind == "flag")):
            raise BadInputError(f"input.{name} must be a {kind}")
        result[name] = _value(name, raw)
    return result


def _value(name: str, raw: object) -> Value:
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        return _text(raw, f"input.{name}", MAX_TEXT)
    if isinstance(raw, int | float):
        if not -MAX_NUMBER <= raw <= MAX_NUMBER:  # false for NaN too
            raise BadInputError(f"input.{name} must be a finite number of at most 1e15")
        return float(raw) + 0.0  # -0.0 and 0.0 are the same case
    raise BadInputError(f"input.{name} must be a number, a text, true or false")


def _text(raw: str, what: str, limit: int) -> str:
    if len(raw) > limit:
        raise BadInputError(f"{what} is longer than {limit} characters")
    if any(c not in "\n\t\r" and unicodedata.category(c) in {"Cc", "Cs"} for c in raw):
        raise BadInputError(f"{what} holds a control character or half a character")
    return unicodedata.normalize("NFC", raw.strip())


def judge_by_rules(workflow: Workflow, case: Mapping[str, Value]) -> Opinion:
    """The verdict with the most weight behind it, the stricter one on a tie.

    Confidence is the winner's share of the votes, lowered by the share of declared fields that the
    case lacks. A case that no rule matches goes to review.
    """
    fired = [rule for rule in workflow.rules if all(condition.holds(case) for condition in rule.when)]
    if not fired:
        return Opinion(Verdict.REVIEW, NOTHING_MATCHED_CONFIDENCE, "no rule applies, so a person should look")
    votes: dict[Verdict, float] = {}
    for rule in fired:
        votes[rule.verdict] = votes.get(rule.verdict, 0.0) + rule.weight
    verdict = max(votes, key=lambda candidate: (votes[candidate], STRICTNESS[candidate]))
    share = votes[verdict] / sum(votes.values())
    coverage = sum(field.name in case for field in workflow.fields) / len(workflow.fields)
    names = ", ".join(rule.name for rule in fired if rule.verdict is verdict)
    return Opinion(verdict, round(share * (0.5 + 0.5 * coverage), 4), f"rules: {names}")


def parse_reply(text: str) -> Opinion:
    """The opinion in a model's reply; raises ReplyUnparsableError when there is none."""
    try:
        reply = json.loads(text)
        verdict, confidence = Verdict(reply["verdict"]), float(reply["confidence"])
        explanation = _text(str(reply["explanation"]), "the explanation", MAX_TEXT)
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError, BadInputError) as error:
        raise ReplyUnparsableError(f"{type(error).__name__} in a reply of {len(text)} characters") from error
    if not 0.0 <= confidence <= 1.0:
        raise ReplyUnparsableError("confidence outside 0 to 1")
    return Opinion(verdict, confidence, explanation)


def combine(rule: Opinion, llm: Opinion, *, rule_share: float) -> Opinion:
    """One opinion of two: the weighted mean where they agree, otherwise the weightier one, less sure.

    A tie goes to the rules, which can be explained.
    """
    by_rule, by_llm = rule.confidence * rule_share, llm.confidence * (1.0 - rule_share)
    reasons = f"{rule.explanation}; model: {llm.explanation}"
    if rule.verdict is llm.verdict:
        return Opinion(rule.verdict, round(by_rule + by_llm, 4), reasons)
    winner, ahead, behind = (rule, by_rule, by_llm) if by_rule >= by_llm else (llm, by_llm, by_rule)
    total = ahead + behind
    certainty = winner.confidence * ahead / total if total else 0.0
    return Opinion(winner.verdict, round(certainty, 4), f"{reasons}; they disagree")
