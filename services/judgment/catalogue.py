"""The closed sets that demo data and labels are made of: tenants, models and workflows with their rules."""

from collections.abc import Mapping

from services.judgment.domain import Model, Tenant, Value, Verdict
from services.judgment.rules import Condition, Field, Operator, Rule, Workflow

MODELS: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model("gpt-4o", input_price=2.50, output_price=10.00, median_seconds=0.36),
        Model("claude-sonnet", input_price=3.00, output_price=15.00, median_seconds=0.40),
        Model("qwen-72b", input_price=0.40, output_price=1.20, median_seconds=0.28),
    )
}

# A tenant that is not here is answered 404: tenant_id is a metric label, so its values must be few.
# "probe" belongs to `firedrill verify`, which needs series that nobody else writes to.
TENANTS: Mapping[str, Tenant] = {
    tenant.id: tenant
    for tenant in (
        Tenant("acme", model="gpt-4o", second_model="claude-sonnet"),
        Tenant("globex", model="claude-sonnet", second_model="gpt-4o"),
        Tenant("initech", model="qwen-72b", second_model="gpt-4o"),
        Tenant("probe", model="gpt-4o", second_model="qwen-72b"),
    )
}


def _when(field: str, operator: Operator, value: Value | tuple[str, ...]) -> Condition:
    return Condition(field, operator, value)


_INVOICE = Workflow(
    "invoice-approval",
    "May this supplier's invoice be paid?",
    (
        Field("amount", "number", 1250.0, "invoice total in EUR"),
        Field("supplier_risk", "number", 0.2, "0 trusted to 1 unknown or troubled"),
        Field("has_purchase_order", "flag", True, "whether an order with this number exists"),
        Field("category", "text", "materials", "materials, services, travel or other"),
    ),
    (
        Rule(
            "small and ordered",
            Verdict.APPROVED,
            1.0,
            (_when("amount", Operator.AT_MOST, 5000.0), _when("has_purchase_order", Operator.IS, True)),
        ),
        Rule("trusted supplier", Verdict.APPROVED, 0.5, (_when("supplier_risk", Operator.LESS, 0.3),)),
        Rule("no order", Verdict.REVIEW, 0.8, (_when("has_purchase_order", Operator.IS, False),)),
        Rule("large amount", Verdict.REVIEW, 1.2, (_when("amount", Operator.MORE, 5000.0),)),
        Rule(
            "large and risky",
            Verdict.REJECTED,
            2.5,
            (_when("amount", Operator.MORE, 20000.0), _when("supplier_risk", Operator.AT_LEAST, 0.7)),
        ),
        Rule(
            "travel above limit",
            Verdict.REVIEW,
            0.6,
            (_when("category", Operator.IS, "travel"), _when("amount", Operator.MORE, 2000.0)),
        ),
    ),
)

_QUALITY = Workflow(
    "quality-inspection",
    "Does this lot leave the line?",
    (
        Field("defect_rate", "number", 0.012, "share of defective parts, 0 to 1"),
        Field("temperature", "number", 71.5, "process temperature in degrees Celsius"),
        Field("vibration", "number", 2.1, "vibration in mm/s"),
        Field("line", "text", "line-2", "production line"),
    ),
    (
        Rule("few defects", Verdict.APPROVED, 1.0, (_when("defect_rate", Operator.LESS, 0.02),)),
        Rule("calm machine", Verdict.APPROVED, 0.4, (_when("vibration", Operator.AT_MOST, 4.5),)),
        Rule("some defects", Verdict.REVIEW, 1.0, (_when("defect_rate", Operator.AT_LEAST, 0.02),)),
        Rule("many defects", Verdict.REJECTED, 3.0, (_when("defect_rate", Operator.AT_LEAST, 0.08),)),
        Rule("too hot", Verdict.REVIEW, 1.1, (_when("temperature", Operator.MORE, 90.0),)),
    ),
    rule_share=0.7,
)

_CREDIT = Workflow(
    "credit-check",
    "Is this customer given credit?",
    (
        Field("score", "number", 690.0, "credit score, 300 to 850"),
        Field("debt_ratio", "number", 0.28, "monthly debt by monthly income"),
        Field("requested", "number", 15000.0, "credit asked for in EUR"),
        Field("employment", "text", "permanent", "permanent, temporary, self-employed or none"),
    ),
    (
        Rule("good score", Verdict.APPROVED, 1.2, (_when("score", Operator.AT_LEAST, 680.0),)),
        Rule(
            "steady income",
            Verdict.APPROVED,
            0.5,
            (_when("employment", Operator.IN, ("permanent", "self-employed")),),
        ),
        Rule(
            "middling score",
            Verdict.REVIEW,
            1.0,
            (_when("score", Operator.LESS, 680.0), _when("score", Operator.AT_LEAST, 560.0)),
        ),
        Rule("poor score", Verdict.REJECTED, 2.0, (_when("score", Operator.LESS, 560.0),)),
        Rule("too much debt", Verdict.REJECTED, 1.6, (_when("debt_ratio", Operator.MORE, 0.45),)),
        Rule("large credit", Verdict.REVIEW, 0.9, (_when("requested", Operator.MORE, 50000.0),)),
    ),
    rule_share=0.5,
)

_SHIPMENT = Workflow(
    "shipment-release",
    "May this shipment leave the warehouse?",
    (
        Field("value", "number", 4200.0, "declared value in EUR"),
        Field("weight", "number", 180.0, "weight in kg"),
        Field("destination", "text", "DE", "country code"),
        Field("papers_complete", "flag", True, "whether all customs papers are there"),
    ),
    (
        Rule("papers in order", Verdict.APPROVED, 1.0, (_when("papers_complete", Operator.IS, True),)),
        Rule("papers missing", Verdict.REJECTED, 1.8, (_when("papers_complete", Operator.IS, False),)),
        Rule(
            "inside the union",
            Verdict.APPROVED,
            0.4,
            (_when("destination", Operator.IN, ("DE", "FR", "NL", "AT", "ES", "IT", "PL")),),
        ),
        Rule("valuable", Verdict.REVIEW, 1.1, (_when("value", Operator.MORE, 25000.0),)),
        Rule("overweight", Verdict.REVIEW, 0.9, (_when("weight", Operator.MORE, 2500.0),)),
    ),
)

WORKFLOWS: Mapping[str, Workflow] = {
    workflow.id: workflow for workflow in (_INVOICE, _QUALITY, _CREDIT, _SHIPMENT)
}
