"""The local runtime: the stack of docker-compose.yml as supervised processes on loopback, without containers."""
