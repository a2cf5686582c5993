"""What a start has to be, in both runtimes: calm, with the rules evaluated and requests answered."""

import subprocess
from collections.abc import Mapping
from typing import Any

ON_TIME = {
    *("APILatencySLOBurnFast", "APILatencySLOBurnSlow", "FDSLatencySLOBurnFast", "FDSLatencySLOBurnSlow"),
    *("FDSSLAViolation", "JudgmentHighLatency"),
}
"""Alerts on how long something takes: on a machine that others load they may be right."""


def check_calm(done: "subprocess.CompletedProcess[str]", document: Mapping[str, Any]) -> None:
    """No alert fired while services started and windows filled, and nobody was told."""
    fired = {one["rule"]["name"] for one in document["courses"] if one["fired"]}
    said = f"{done.stdout}\n{done.stderr}"
    assert fired <= ON_TIME, said
    assert {one["alertname"] for one in document["messages"]} <= fired, said
    assert document["requests"] > 1, said
    assert document["heartbeats"] > 0.95, said
    assert done.returncode == (1 if fired else 0), said
