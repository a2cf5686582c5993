"""Single fields of a compose service, as plain values; ValueError says what is wrong with one."""

import re
import shlex
from collections.abc import Mapping
from typing import Any, Literal, cast

from firedrill.topology.interpolate import first_variable
from firedrill.topology.model import Condition, Dependency, Hints, Mount, Port, Ready

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h)")
_UNIT_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PORT = re.compile(
    r"^(?:(?:(?P<address>[0-9.]+|\[[0-9a-f:]+\]):)?(?P<host>\d+):)?(?P<container>\d+)(?:/(?P<protocol>\w+))?$"
)
_READY = re.compile(r"^(?P<scheme>http|tcp)://self:(?P<port>\d+)(?P<path>/.*)?$")
_CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")
_MOUNT_KEYS = {"type", "source", "target", "read_only", "bind", "volume", "tmpfs"}
_PORT_KEYS = {"target", "published", "host_ip", "protocol", "mode", "name", "app_protocol"}
HINT_KEYS = ("binary", "component", "python", "system", "ready", "local", "drop_environment", "shows")


def seconds(value: object) -> float:
    """A compose duration such as 1m30s, in seconds."""
    text = str(value)
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is not a duration such as 15s or 1m30s")
    return sum(float(number) * _UNIT_SECONDS[unit] for number, unit in parts)


def words(value: object) -> tuple[str, ...]:
    """A command, given as a list or as one line that a shell would split."""
    if value is None:
        return ()
    if isinstance(value, str):
        return tuple(shlex.split(value))
    if isinstance(value, list):
        return tuple(scalar(item) for item in value)
    raise ValueError("it must be a list of words or one line of text")


def scalar(value: object) -> str:
    """A single value as the text that a container would get."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise ValueError(f"{value!r} must be a single value")


def environment(value: object) -> dict[str, str]:
    """A mapping, or a list of NAME=value."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return {str(key): scalar(item) for key, item in value.items()}
    if isinstance(value, list):
        pairs = [str(item).partition("=") for item in value]
        for name, equals, _ in pairs:
            if not equals:
                raise ValueError(f"{name} has no value; write {name}: ${{{name}}}")
        return {name: item for name, _, item in pairs}
    raise ValueError("it must be a mapping or a list of NAME=value")


def port(value: object, raw: object) -> Port:
    """A published port; `raw` is the same entry before its variables were filled in."""
    if isinstance(value, Mapping):
        _known(value, _PORT_KEYS)
        container = int(scalar(value.get("target")))
        published = value.get("published")
        variable = first_variable(str(raw.get("published", ""))) if isinstance(raw, Mapping) else None
        return _in_range(Port(container, int(scalar(published)) if published else container, variable))
    match = _PORT.match(str(value))
    if match is None:
        raise ValueError(f"{value!r} is not a port such as 127.0.0.1:9090:9090 (a range is not supported)")
    if match["protocol"] not in {None, "tcp"}:
        raise ValueError(f"{value!r}: only TCP ports are supported")
    container = int(match["container"])
    return _in_range(Port(container, int(match["host"] or container), first_variable(str(raw))))


def exposed(value: object) -> Port:
    """A port that only peers use: it keeps its number."""
    text = scalar(value).removesuffix("/tcp")
    if not text.isdigit():
        raise ValueError(f"{text!r} is not a port number (a range is not supported)")
    return _in_range(Port(int(text), int(text)))


def mount(value: object) -> Mount:
    """A volume entry, short (source:target:ro) or long."""
    if isinstance(value, Mapping):
        _known(value, _MOUNT_KEYS)
        kind = scalar(value.get("type"))
        if kind not in {"bind", "volume", "tmpfs"}:
            raise ValueError(f"a mount of type {kind!r} is not known")
        source = scalar(value.get("source"))
        return Mount(cast(Any, kind), source, scalar(value.get("target")), bool(value.get("read_only")))
    parts = str(value).split(":")
    if len(parts) == 1:
        raise ValueError(f"{value!r}: an unnamed volume has no place to live; give it a name")
    source, target = parts[0], parts[1]
    options = set(parts[2].split(",")) if len(parts) > 2 else set()
    kind = "bind" if source.startswith((".", "/", "~")) else "volume"
    return Mount(cast(Any, kind), source, target, "ro" in options)


def temporary(value: object) -> tuple[Mount, ...]:
    """tmpfs: one path or a list of them, each with options that have no local meaning."""
    items = value if isinstance(value, list) else [value]
    return tuple(Mount("tmpfs", "", str(item).partition(":")[0]) for item in items)


def dependencies(value: object) -> tuple[Dependency, ...]:
    """depends_on, as a list of names or as a mapping with conditions."""
    if value is None:
        return ()
    if isinstance(value, list):
        return tuple(Dependency(str(name)) for name in value)
    if not isinstance(value, Mapping):
        raise ValueError("it must be a list of services or a mapping with conditions")
    found = []
    for name, options in value.items():
        settings = options or {}
        _known(settings, {"condition", "required", "restart"})
        condition = settings.get("condition", "service_started")
        if condition not in _CONDITIONS:
            raise ValueError(
                f"the condition {condition!r} is not known; compose has {', '.join(_CONDITIONS)}"
            )
        found.append(
            Dependency(str(name), cast(Condition, condition), settings.get("required", True) is not False)
        )
    return tuple(found)


def hints(value: object) -> Hints:
    """x-firedrill, with a closed set of keys."""
    if value is None:
        return Hints()
    if not isinstance(value, Mapping):
        raise ValueError("it must be a mapping")
    _known(value, set(HINT_KEYS))
    system = value.get("system")
    if system not in {None, "postgres", "redis"}:
        raise ValueError(f"system: {system!r} is not known; there are postgres and redis")
    local = value.get("local")
    if local not in {None, "path-only", "off", "tempo"}:
        raise ValueError(f"local: {local!r} is not known; there are path-only, off and tempo")
    if value.get("python") not in {None, True, False}:
        raise ValueError("python: must be true or false")
    return Hints(
        binary=_text(value, "binary"),
        component=_text(value, "component"),
        python=bool(value.get("python", False)),
        system=cast(Literal["postgres", "redis"] | None, system),
        ready=ready(value["ready"]) if value.get("ready") else None,
        local=_text(value, "local"),
        drop_environment=tuple(str(item) for item in value.get("drop_environment") or ()),
        shows=_text(value, "shows"),
    )


def ready(value: object) -> Ready:
    """http://self:9090/-/ready or tcp://self:6379, with the container's port."""
    match = _READY.match(str(value))
    if match is None:
        raise ValueError(f"{value!r} is neither http://self:PORT/PATH nor tcp://self:PORT")
    return Ready(cast(Any, match["scheme"]), int(match["port"]), match["path"] or "/")


def _text(value: Mapping[str, Any], key: str) -> str | None:
    return None if value.get(key) is None else scalar(value[key])


def _known(value: Mapping[str, Any], keys: set[str]) -> None:
    for key in value:
        if key not in keys:
            raise ValueError(f"the key '{key}' is not known here; there are {', '.join(sorted(keys))}")


def _in_range(found: Port) -> Port:
    for number in (found.container, found.host):
        if not 1 <= number <= 65535:
            raise ValueError(f"{number} is not a port number (1 to 65535)")
    return found
