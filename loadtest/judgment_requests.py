"""Seeded requests to judgment: all tenants, workflows and policies, about half of them repeated."""

import random
from collections.abc import Iterator

from loadtest.requests import Request


def drill_stream(seed: int) -> Iterator[Request]:
    """Valid requests without end, the same for the same seed."""
    choose = random.Random(f"judgment-drill-{seed}")
    while True:
        body = {
            "tenant_id": "acme",
            "workflow_id": "defect-triage",
            "policy": "HYBRID",
            "input_data": {"temperature": round(choose.uniform(20, 120), 1)},
        }
        yield Request("/api/v1/judgment/execute", body)
