"""The local runtime: the stack as supervised processes on loopback, without containers."""
