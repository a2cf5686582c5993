"""Drills from a page: which there are, running one in a process of its own, and what it has reached."""
