"""Faults as a page shows them: what can be broken, within which bounds, and what is."""
