"""What docker and docker compose say when something is wrong, in our words: what, why, what to do."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from firedrill.errors import EnvironmentProblem

LOCAL = "or run without containers: make up RUNTIME=local"
_ADDRESS = re.compile(r"(?:Bind for|exposing port TCP|host port|listen tcp4?)\s+\[?([0-9.:]+?)\]?:(\d+)")
_IMAGE = re.compile(r"(?:manifest for|pull access denied for|docker\.io/library/)\s*([\w./:-]+)")
_STARTED = re.compile(r"dependency failed to start|container \S+ (?:is unhealthy|exited \()")
_HOST = re.compile(r"https?://([^/\"\s]+)/")


class RegistryProblem(EnvironmentProblem):
    """An image cannot be had: what containers need and the local runtime does not."""


@dataclass(frozen=True)
class _Kind:
    """One kind of message: how it is recognised, and the error that it becomes."""

    pattern: re.Pattern[str]
    make: Callable[[str], EnvironmentProblem]


def classify(said: str) -> EnvironmentProblem | None:
    """The error that `said`, the output of docker or of compose, stands for; None when it is not known.

    Nor when a container started and then failed: what compose said before that, it could do without.
    """
    if _STARTED.search(said):
        return None
    for kind in _KINDS:
        found = kind.pattern.search(said)
        if found is not None:
            start = said.rfind("\n", 0, found.start()) + 1
            end = said.find("\n", found.end())
            return kind.make(said[start : len(said) if end < 0 else end].strip())
    return None


def _plugin(line: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "docker compose is not there",
        f"the docker command knows no `compose`: {line}",
        f"install Compose v2 (package docker-compose-plugin, or docker-compose-v2), {LOCAL}",
    )


def _permission(line: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "you may not use the docker engine",
        "its socket belongs to root and the group docker",
        f"join the group (sudo usermod -aG docker $USER, then log in again), {LOCAL}",
    )


def _engine(line: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "no docker engine answers",
        line,
        f"start it (sudo systemctl start docker, or Docker Desktop), {LOCAL}",
    )


def _too_old(line: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "docker compose and the engine are of versions that do not fit",
        line,
        f"bring the older of the two up to date (docker version, docker compose version), {LOCAL}",
    )


def _compose_file(line: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "this docker compose cannot read docker-compose.yml",
        line,
        f"bring it up to date (docker compose version), {LOCAL}",
    )


def _port(line: str) -> EnvironmentProblem:
    found = _ADDRESS.search(line)
    port = f"port {found[2]}" if found else "a port"
    return EnvironmentProblem(
        f"{port} is taken",
        "another process, or another stack, listens there",
        f"stop it (`ss -ltnp` shows it), or move the port in .env (the names end in _PORT), {LOCAL}",
    )


def _limit(line: str) -> EnvironmentProblem:
    return RegistryProblem(
        "the registry gives no more images for now", line, f"docker login, or try again later, {LOCAL}"
    )


def _absent(line: str) -> EnvironmentProblem:
    found = _IMAGE.search(line)
    what = f"the image {found[1].rstrip(':,')}" if found else "an image"
    return RegistryProblem(f"the registry does not give {what}", line, f"docker login, {LOCAL}")


def _registry(line: str) -> EnvironmentProblem:
    found = _HOST.search(line)
    return RegistryProblem(
        f"the registry {found[1]} cannot be reached" if found else "the image registry cannot be reached",
        line,
        f"check the network, the proxy and the certificates of the engine, {LOCAL}",
    )


def _disk(line: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        "the disk of the docker engine is full", line, f"docker system df shows what takes it, {LOCAL}"
    )


def _kind(pattern: str, make: Callable[[str], EnvironmentProblem]) -> _Kind:
    return _Kind(re.compile(pattern, re.IGNORECASE), make)


# The first that fits: what is particular stands before what is general.
_KINDS = (
    _kind(
        r"'compose' is not a docker command|unknown docker command: \"compose"
        r"|unknown (?:shorthand )?flag: (?:'f' in -f|--profile|--project-directory)",
        _plugin,
    ),
    _kind(r"permission denied while trying to connect to the docker (?:daemon socket|API)", _permission),
    _kind(r"client version \S+ is too (?:old|new)|client is newer than server", _too_old),
    _kind(
        r"cannot connect to the docker daemon|is the docker daemon running|error during connect:"
        r"|failed to connect to the docker API",
        _engine,
    ),
    _kind(
        r"port is already allocated|address already in use|ports are not available"
        r"|only one usage of each socket address",
        _port,
    ),
    _kind(r"no space left on device", _disk),
    _kind(r"toomanyrequests|pull rate limit|429 Too Many Requests", _limit),
    _kind(
        r"manifest (?:for \S+ )?(?:unknown|not found)|pull access denied|repository does not exist"
        r"|failed to resolve reference \S+: \S+: not found",
        _absent,
    ),
    _kind(
        r"no such host|server misbehaving|i/o timeout|connection refused|network is unreachable"
        r"|no route to host|TLS handshake timeout|x509: |tls: |proxyconnect|Client\.Timeout exceeded"
        r"|context deadline exceeded|request canceled while waiting|unexpected EOF|connection reset by peer"
        r"|(?:403 Forbidden|5\d\d (?:Internal Server Error|Bad Gateway|Service Unavailable|Gateway Timeout))",
        _registry,
    ),
    _kind(
        r"additional propert(?:y|ies) .* (?:is|are) not allowed|unsupported config option"
        r"|validating .*\.ya?ml:",
        _compose_file,
    ),
)
