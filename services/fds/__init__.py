"""Fraud detection of shopfds: rule, ML and CTI engines side by side under 100 ms."""
