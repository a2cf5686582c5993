"""Judgment: decides cases by rules, by a simulated language model, or by both."""
