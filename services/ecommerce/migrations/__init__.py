"""The schema, step by step, applied at start by migrate.py."""
