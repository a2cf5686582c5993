"""Pinned sources of the components that the local runtime builds."""
