"""What `docker info` answers, in short."""

import json


def info(**facts: object) -> str:
    """As with `--format '{{json .}}'`."""
    return json.dumps(
        {
            "ServerVersion": "29.0.2",
            "OperatingSystem": "Debian GNU/Linux 12 (bookworm)",
            "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin", "name=cgroupns"],
            "CgroupDriver": "systemd",
            "CgroupVersion": "2",
            "MemoryLimit": True,
        }
        | facts
    )
