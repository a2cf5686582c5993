"""Boards: the generated dashboards, drawn live from Prometheus and Loki."""
