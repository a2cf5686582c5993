"""Traces as a page shows them: the search and the waterfall of one, as plain values."""
