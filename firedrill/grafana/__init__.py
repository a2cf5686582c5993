"""Grafana: its alert rules, made from those of Prometheus, and what it says of all that it has read."""
