"""docker-compose.yml read strictly: what is not known is refused by name."""

from firedrill.topology.model import Dependency, Hints, Mount, Port, Ready, Service, Topology
from firedrill.topology.reader import read_topology

__all__ = ["Dependency", "Hints", "Mount", "Port", "Ready", "Service", "Topology", "read_topology"]
