"""The firedrill command: topology, runtimes, readiness, verification and drills."""
