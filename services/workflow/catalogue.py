"""The closed sets that demo data and labels are made of: tenants, and workflows with their nodes."""

from collections.abc import Mapping

from services.workflow.domain import NodeType
from services.workflow.graph import (
    After,
    Branch,
    Call,
    Condition,
    Definition,
    Field,
    Judge,
    Node,
    Operator,
    Wait,
)

# A tenant that is not here is answered 404: tenant_id is a metric label, so its values must be few. They are
# judgment's tenants. "probe" belongs to `firedrill verify`, which needs series that nobody else writes to.
TENANTS = ("acme", "globex", "initech", "probe")


def _verdict(of: str, verdict: str) -> Condition:
    return Condition(of, "verdict", Operator.IS, verdict)


_SCORE = Field("score", "number", 720.0, "credit score, 300 to 850")
_DEBT = Field("debt_ratio", "number", 0.2, "monthly debt by monthly income")

_ORDER = Definition(
    "order-to-cash",
    "From a customer's order to the invoice",
    (
        _SCORE,
        _DEBT,
        Field("requested", "number", 12000.0, "credit that the order needs, in EUR"),
        Field("employment", "text", "permanent", "permanent, temporary, self-employed or none"),
        Field("value", "number", 4200.0, "declared value of the shipment in EUR"),
        Field("weight", "number", 180.0, "weight in kg"),
        Field("destination", "text", "DE", "country code"),
        Field("papers_complete", "flag", True, "whether all customs papers are there"),
    ),
    (
        Node(
            "credit-check",
            Judge("credit-check", ("score", "debt_ratio", "requested", "employment")),
            fallback={"verdict": "review", "confidence": 0.0},
        ),
        Node(
            "credit-decision",
            Branch(
                (
                    ("go", _verdict("credit-check", "approved")),
                    ("stop", _verdict("credit-check", "rejected")),
                ),
                otherwise="review",
            ),
            (After("credit-check"),),
        ),
        Node("refuse-order", Call("crm", "refuse"), (After("credit-decision", "stop"),)),
        Node("credit-review", Wait(1.5), (After("credit-decision", "review"),)),
        Node(
            "reserve-stock",
            Call("warehouse", "reserve"),
            (After("credit-decision", "go"), After("credit-review")),
        ),
        Node(
            "release-check",
            Judge("shipment-release", ("value", "weight", "destination", "papers_complete"), policy="rule"),
            (After("reserve-stock"),),
        ),
        Node(
            "release-decision",
            Branch((("hold", _verdict("release-check", "rejected")),), otherwise="ship"),
            (After("release-check"),),
        ),
        Node("return-stock", Call("warehouse", "return"), (After("release-decision", "hold"),)),
        Node("ship-order", Call("carrier", "ship"), (After("release-decision", "ship"),)),
        Node("payment-term", Wait(0.5), (After("ship-order"),)),
        Node("send-invoice", Call("billing", "invoice"), (After("payment-term"),)),
    ),
)

_SUPPLIER = Definition(
    "supplier-onboarding",
    "Whether and how a supplier is taken on",
    (
        Field("amount", "number", 1250.0, "first invoice in EUR"),
        Field("supplier_risk", "number", 0.2, "0 trusted to 1 unknown or troubled"),
        Field("has_purchase_order", "flag", True, "whether an order with this number exists"),
        Field("category", "text", "materials", "materials, services, travel or other"),
    ),
    (
        Node("sanctions-check", Call("sanctions-list", "screen")),
        Node(
            "risk-check",
            Judge("invoice-approval", ("amount", "supplier_risk", "has_purchase_order", "category")),
            fallback={"verdict": "review", "confidence": 0.0},
        ),
        Node(
            "onboarding-decision",
            Branch(
                (
                    ("decline", _verdict("risk-check", "rejected")),
                    ("decline", Condition("input", "supplier_risk", Operator.AT_LEAST, 0.95)),
                ),
                otherwise="accept",
            ),
            (After("sanctions-check"), After("risk-check")),
        ),
        Node("decline-supplier", Call("crm", "decline"), (After("onboarding-decision", "decline"),)),
        Node("cooling-off", Wait(2.0), (After("onboarding-decision", "accept"),)),
        Node("create-supplier", Call("erp", "create"), (After("cooling-off"),)),
    ),
)

_LOT_FIELDS = ("defect_rate", "temperature", "vibration", "line")

_DEFECT = Definition(
    "defect-triage",
    "What becomes of a production lot",
    (
        Field("defect_rate", "number", 0.012, "share of defective parts, 0 to 1"),
        Field("temperature", "number", 71.5, "process temperature in degrees Celsius"),
        Field("vibration", "number", 2.1, "vibration in mm/s"),
        Field("line", "text", "line-2", "production line"),
    ),
    (
        Node("lot-check", Judge("quality-inspection", _LOT_FIELDS)),
        Node(
            "lot-decision",
            Branch(
                (
                    ("release", _verdict("lot-check", "approved")),
                    ("scrap", _verdict("lot-check", "rejected")),
                ),
                otherwise="retest",
            ),
            (After("lot-check"),),
        ),
        Node("settle-lot", Wait(1.0), (After("lot-decision", "retest"),)),
        Node(
            "retest-lot",
            Judge("quality-inspection", _LOT_FIELDS, policy="rule"),
            (After("settle-lot"),),
            fallback={"verdict": "rejected", "confidence": 0.0},
        ),
        Node("release-lot", Call("plant", "release"), (After("lot-decision", "release"),)),
        Node("scrap-lot", Call("plant", "scrap"), (After("lot-decision", "scrap"),)),
        Node(
            "file-report",
            Call("quality-office", "report"),
            (After("release-lot"), After("scrap-lot"), After("retest-lot")),
        ),
    ),
)

WORKFLOWS: Mapping[str, Definition] = {one.id: one for one in (_ORDER, _SUPPLIER, _DEFECT)}

# Nodes with a peer, by id: each has a breaker, and the breaker's label does not name the workflow.
GUARDED: Mapping[str, str] = {
    node.id: workflow.id
    for workflow in WORKFLOWS.values()
    for node in workflow.nodes
    if node.type in {NodeType.JUDGE, NodeType.CALL}
}
