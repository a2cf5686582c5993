"""Alerts as a page shows them: what fires, what is silenced, what was, and the runbooks, as plain values."""
