"""Service level objectives: a short slo.yml per slice in, burn-rate rules for Prometheus out."""

from .declared import Objective, read_objectives, slo_files
from .rules import generated, rule_text

__all__ = ["Objective", "generated", "read_objectives", "rule_text", "slo_files"]
