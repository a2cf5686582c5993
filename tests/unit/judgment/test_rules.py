"""Cases are checked, judged by rules and weighed against a model, whatever is thrown at them."""

import contextlib
import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.judgment.catalogue import MODELS, TENANTS, WORKFLOWS
from services.judgment.domain import (
    BadInputError,
    Opinion,
    Order,
    Policy,
    ReplyUnparsableError,
    Verdict,
)
from services.judgment.rules import (
    MAX_FIELDS,
    NOTHING_MATCHED_CONFIDENCE,
    Condition,
    Field,
    Operator,
    Rule,
    Workflow,
    combine,
    judge_by_rules,
    normalise,
    parse_reply,
)

INVOICE = WORKFLOWS["invoice-approval"]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
opinions = st.builds(Opinion, st.sampled_from(Verdict), st.floats(0, 1), st.just("because"))


cases = st.dictionaries(st.text(st.characters(), max_size=70), anything, max_size=6)
plain = st.floats(-1e15, 1e15) | st.text(string.printable.strip(), max_size=9)


@given(cases, st.sampled_from(sorted(WORKFLOWS)))
def test_any_case_is_judged_or_refused_with_a_reason(case: dict[str, object], workflow_id: str) -> None:
    """There is an opinion within bounds on a case that JSON and PostgreSQL can hold, or BadInputError."""
    workflow = WORKFLOWS[workflow_id]
    try:
        clean = normalise(case, workflow)
    except BadInputError:
        return
    opinion = judge_by_rules(workflow, clean)
    assert 0 <= opinion.confidence <= 1
    kept = json.dumps(clean, allow_nan=False)
    kept.encode("utf-8")
    assert "\\u0000" not in kept


@given(st.dictionaries(st.text("abcxyz", min_size=1, max_size=8), plain))
def test_normalising_twice_changes_nothing(case: dict[str, object]) -> None:
    """What is normalised is normal, so equal questions meet in the cache."""
    once = normalise(case, INVOICE)
    assert normalise(once, INVOICE) == once


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ({"amount": "12"}, "input.amount must be a number"),
        ({"amount": True}, "input.amount must be a number"),
        ({"has_purchase_order": 1}, "input.has_purchase_order must be a flag"),
        ({"category": 3}, "input.category must be a text"),
        ({"amount": float("nan")}, "finite number"),
        ({"amount": float("inf")}, "finite number"),
        ({"amount": 10**400}, "finite number"),
        ({"note": "a\x00b"}, "control character"),
        ({"note": "\ud800"}, "control character"),
        ({"note": "x" * 1001}, "longer than 1000"),
        ({"x" * 65: 1}, "longer than 64"),
        ({"": 1}, "without a name"),
        ({"a": 1, " a": 2}, "given twice"),
        ({"note": None}, "must be a number, a text"),
        ({"note": {"deep": 1}}, "must be a number, a text"),
        ({f"f{i}": i for i in range(MAX_FIELDS + 1)}, "at most 50"),
    ],
)
def test_a_bad_field_is_named(case: dict[str, object], said: str) -> None:
    """The refusal says which field is wrong and what it must be."""
    with pytest.raises(BadInputError, match=said):
        normalise(case, INVOICE)


def test_equal_questions_share_a_cache_key_and_tenants_never_do() -> None:
    """Order of fields, 1 or 1.0 and surrounding blanks do not matter; tenant and policy do."""

    def key(tenant: str, policy: Policy, case: dict[str, object]) -> str:
        return Order(TENANTS[tenant], INVOICE.id, policy, normalise(case, INVOICE)).cache_key

    first = key("acme", Policy.RULE, {"amount": 1, "category": "travel"})
    assert first == key("acme", Policy.RULE, {"category": " travel ", "amount": 1.0})
    assert key("acme", Policy.RULE, {"amount": -0.0}) == key("acme", Policy.RULE, {"amount": 0})
    assert first != key("globex", Policy.RULE, {"amount": 1, "category": "travel"})
    assert first != key("acme", Policy.HYBRID, {"amount": 1, "category": "travel"})


@pytest.mark.parametrize(
    ("operator", "value", "actual", "holds"),
    [
        (Operator.LESS, 5.0, 4.0, True),
        (Operator.LESS, 5.0, 5.0, False),
        (Operator.AT_MOST, 5.0, 5.0, True),
        (Operator.MORE, 5.0, 5.0, False),
        (Operator.AT_LEAST, 5.0, 5.0, True),
        (Operator.IS, "a", "a", True),
        (Operator.IS_NOT, "a", "b", True),
        (Operator.IN, ("a", "b"), "b", True),
        (Operator.IN, ("a", "b"), "c", False),
        (Operator.MORE, 5.0, "text", False),
    ],
)
def test_conditions_compare(operator: Operator, value: object, actual: object, holds: bool) -> None:
    """Each operator compares as it reads; a text is never more or less than a number."""
    assert Condition("x", operator, value).holds({"x": actual}) is holds  # type: ignore[arg-type, dict-item]
    assert not Condition("x", operator, value).holds({})  # type: ignore[arg-type]


def test_the_weightier_verdict_wins_and_a_tie_goes_to_the_stricter() -> None:
    """Votes are summed by verdict."""
    seen = (Condition("x", Operator.IS, 1.0),)
    rules = (Rule("yes", Verdict.APPROVED, 1.0, seen), Rule("no", Verdict.REJECTED, 1.0, seen))
    workflow = Workflow("w", "?", (Field("x", "number", 1.0, ""),), rules)
    assert judge_by_rules(workflow, {"x": 1.0}) == Opinion(Verdict.REJECTED, 0.5, "rules: no")


def test_missing_fields_lower_the_confidence() -> None:
    """The less is known the less sure the rules are."""
    whole = {"amount": 100.0, "supplier_risk": 0.1, "has_purchase_order": True, "category": "materials"}
    part = {"supplier_risk": 0.1}
    assert judge_by_rules(INVOICE, whole).confidence == 1.0
    assert judge_by_rules(INVOICE, part).confidence == 0.625


def test_a_case_that_no_rule_knows_goes_to_review() -> None:
    """Nothing to go by is not an approval."""
    opinion = judge_by_rules(INVOICE, {"colour": "blue"})
    assert (opinion.verdict, opinion.confidence) == (Verdict.REVIEW, NOTHING_MATCHED_CONFIDENCE)


@given(opinions, opinions, st.floats(0, 1))
def test_combined_opinions_stay_between_the_two(rule: Opinion, llm: Opinion, share: float) -> None:
    """The verdict is one of the two, and the confidence never above the surer one."""
    both = combine(rule, llm, rule_share=share)
    assert both.verdict in {rule.verdict, llm.verdict}
    assert 0 <= both.confidence <= max(rule.confidence, llm.confidence) + 1e-4


def test_disagreement_lowers_the_confidence_and_a_tie_goes_to_the_rules() -> None:
    """Two opinions that differ are worth less than one."""
    rule, llm = Opinion(Verdict.APPROVED, 0.8, "a"), Opinion(Verdict.REJECTED, 0.8, "b")
    assert combine(rule, llm, rule_share=0.5) == Opinion(Verdict.APPROVED, 0.4, "a; model: b; they disagree")
    assert combine(rule, llm, rule_share=0.2).verdict is Verdict.REJECTED


@given(st.text() | anything.map(json.dumps))
def test_no_reply_breaks_the_parser(reply: str) -> None:
    """A reply is an opinion within bounds or unparsable, never another error."""
    with contextlib.suppress(ReplyUnparsableError):
        assert 0 <= parse_reply(reply).confidence <= 1


@pytest.mark.parametrize(
    "reply",
    [
        '{"verdict": "approved", "confidence": 0.9',
        '{"verdict": "maybe", "confidence": 0.9, "explanation": ""}',
        '{"verdict": "approved", "confidence": 1.5, "explanation": ""}',
        '{"verdict": "approved", "confidence": NaN, "explanation": ""}',
        '{"verdict": "approved", "confidence": 1' + "0" * 400 + ', "explanation": ""}',
        "[" * 100_000,
    ],
)
def test_an_odd_reply_is_unparsable(reply: str) -> None:
    """Half replies, unknown verdicts and numbers outside the range are refused."""
    with pytest.raises(ReplyUnparsableError):
        parse_reply(reply)


def test_every_seeded_workflow_approves_its_own_example() -> None:
    """The examples that callers are shown are ordinary cases that rules apply to."""
    for workflow in WORKFLOWS.values():
        case = normalise({field.name: field.example for field in workflow.fields}, workflow)
        assert judge_by_rules(workflow, case).verdict is Verdict.APPROVED, workflow.id


def test_tenants_name_two_different_known_models() -> None:
    """A second reading by the same model would be no second opinion."""
    for tenant in TENANTS.values():
        assert {tenant.model, tenant.second_model} <= set(MODELS)
        assert tenant.model != tenant.second_model


def test_a_call_costs_what_its_tokens_cost() -> None:
    """Prices are per million tokens."""
    assert MODELS["gpt-4o"].cost_usd(1_000_000, 100_000) == pytest.approx(3.5)
