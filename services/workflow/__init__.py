"""Workflow: runs small graphs of steps for tenants, each instance to exactly one end."""
