"""Metrics, logs, traces and masking, shared by every service and knowing none of them."""
