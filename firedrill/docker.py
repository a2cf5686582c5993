"""The docker runtime: `docker compose` on the same file, with configs at the pace asked for."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from firedrill.copies import mounting, variables, write_copies
from firedrill.engine.messages import classify
from firedrill.engine.showing import run_showing
from firedrill.errors import EnvironmentProblem, StartError
from firedrill.keys import FOLDER, KEY_MODE, SECRETS, Keys
from firedrill.local.configs import File
from firedrill.local.follow import with_token
from firedrill.local.layout import Layout
from firedrill.local.records import Phase, ServiceState, read_json, write_json
from firedrill.settings import Settings
from firedrill.switches import active_profiles, replaced
from firedrill.topology import Topology, read_topology

COMPOSE_FILE = "docker-compose.yml"
ALERTMANAGER_UID = 65534  # docker-compose.yml
_PHASES: Mapping[str, Phase] = {
    "running": "starting", "created": "waiting", "restarting": "failing", "exited": "stopped",
    "dead": "failing", "paused": "held",
}  # fmt: skip


def topology(project: Path, settings: Settings, mounted: Mapping[str, str] | None = None) -> Topology:
    """The topology with docker's own defaults, its ports moved by PORT_OFFSET; `mounted` as for compose."""
    path, values = project / COMPOSE_FILE, {**settings.values, **(mounted or {})}
    return read_topology(path, {**values, **moved_ports(read_topology(path, values), settings.port_offset)})


def moved_ports(found: Topology, offset: int) -> dict[str, str]:
    """The variables of docker-compose.yml that move its published ports by `offset`."""
    ports = (port for service in found.services.values() for port in service.ports)
    return {port.variable: str(port.host + offset) for port in ports if port.variable}


def up(
    project: Path, settings: Settings, layout: Layout, console: Console, *, absent: Collection[str] = ()
) -> int:
    """Start all containers but those of `absent`, and wait until they are healthy.

    Raises StartError, or EnvironmentProblem for what the engine says, which leaves nothing half-started.
    """
    before = read_marker(layout) is not None
    layout.make_folders()
    folder = layout.root / "docker"
    changed = write_copies(project, settings, folder, absent=absent)
    environ = variables(settings, folder) | key_files(
        project, settings, folder / FOLDER, give=give_to_alertmanager
    )
    found = topology(project, settings, environ)
    environ |= moved_ports(found, 0)
    write_json(_marker(layout), {"pace": settings.pace})
    _take_changes(project, list(mounting(found, changed, folder)))
    _end_inactive(project, found, active_profiles(settings.values))
    # A service behind a profile that is not on cannot be named here, and need not be.
    without = [name for name in left_out(settings, absent) if not found.services[name].profiles]
    command = _compose(
        project, "up", "--detach", "--wait", "--build", *(f"--scale={name}=0" for name in without)
    )
    values = {name: value for name, value in settings.values.items() if name not in SECRETS}
    code, said = run_showing(command, folder=project, environ=compose_environ(values, environ))
    if code:
        problem = classify(said)
        if problem is not None:
            if not before:
                down(project, layout)
            raise problem
        raise StartError(
            "docker compose could not start everything",
            f"it ended with code {code}; its own message stands above",
            "docker compose ps, then docker compose logs NAME",
        )
    for text in links(found, settings).values():
        console.print(f"  {text}", highlight=False, soft_wrap=True)
    return 0


def _end_inactive(project: Path, found: Topology, active: Collection[str]) -> None:
    """End containers of profiles that are no longer on; compose leaves them alone."""
    idle = {
        one.name for one in found.services.values() if one.profiles and not set(one.profiles) & set(active)
    }
    if names := sorted(idle & states(project).keys()) if idle else []:
        _run(project, "rm", "--stop", "--force", *names)


def left_out(settings: Settings, absent: Collection[str] = ()) -> tuple[str, ...]:
    """Services that the settings, or the engine (`absent`), leave out."""
    traffic = ["traffic"] if settings.get("TRAFFIC") == "off" else []
    return (*replaced(settings.values), *traffic, *absent)


def links(found: Topology, settings: Settings) -> dict[str, str]:
    """What `up` prints for a person, by service."""
    shown = {}
    for name, service in found.services.items():
        if text := service.hints.shows:
            for port in service.ports:
                text = text.replace(f"self:{port.container}", f"127.0.0.1:{port.host}")
            shown[name] = with_token(text, settings.get("FAULTS_TOKEN"))
    return shown


def key_files(
    project: Path, settings: Settings, folder: Path, *, give: Callable[[str, Sequence[Path]], None]
) -> dict[str, str]:
    """The notification keys in `folder`, readable for Alertmanager's user alone, and the variable for it.

    `give` makes them that user's, with the help of Alertmanager's image. Nothing when there are no keys.
    """
    keys = Keys.of(settings)
    if not keys.files:
        shutil.rmtree(folder, ignore_errors=True)
        return {}
    for source in (project / "config" / FOLDER).iterdir():
        # One by one and in place, for a running container has the folder mounted.
        target = folder / source.name
        key = keys.content(target)
        target.unlink(missing_ok=True)
        (File(target, source.read_bytes()) if key is None else File(target, key, KEY_MODE)).write()
        target.chmod(0o644 if key is None else KEY_MODE)
    image = topology(project, settings).services["alertmanager"].image
    give(image, [folder / name for name in sorted(keys.files)])
    return {"DELIVERY_DIR": str(folder)}


def give_to_alertmanager(image: str, files: Sequence[Path]) -> None:
    """Make the files, of one folder, the user's that Alertmanager runs as. Raises StartError."""
    if os.geteuid() == 0:
        for file in files:
            os.chown(file, ALERTMANAGER_UID, ALERTMANAGER_UID)
        return
    # Only the engine may give files to another user; the image is needed anyway.
    command = [
        "docker", "run", "--rm", "--network=none", "--user=0:0", "--cap-drop=ALL", "--cap-add=CHOWN",
        "--entrypoint=chown", f"--volume={files[0].parent}:/{FOLDER}", image,
        f"{ALERTMANAGER_UID}:{ALERTMANAGER_UID}", *(f"/{FOLDER}/{file.name}" for file in files),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(
            "the notification keys cannot be given to Alertmanager's user",
            done.stderr.strip()[-300:],
            f"docker pull {image}, then make up again; or empty the keys in .env",
        )


def down(project: Path, layout: Layout, *, volumes: bool = False) -> int:
    """Stop and remove the containers; volumes stay unless they are named."""
    words = ["down", "--volumes"] if volumes else ["down"]
    code = subprocess.run(_compose(project, *words), cwd=project, check=False).returncode
    if code == 0:
        _marker(layout).unlink(missing_ok=True)
    return code


def read_marker(layout: Layout) -> str | None:
    """The pace of the stack that docker runs for this project, or None when `up` did not start one."""
    found = read_json(_marker(layout))
    return str(found["pace"]) if isinstance(found, dict) and "pace" in found else None


def states(project: Path) -> Mapping[str, ServiceState]:
    """What `docker compose ps` says. Raises EnvironmentProblem when it cannot be asked."""
    done = subprocess.run(
        _compose(project, "ps", "--all", "--format", "json"),
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EnvironmentProblem(
            "docker compose ps failed", done.stderr.strip()[-300:], "start the docker engine"
        )
    text = done.stdout.strip()
    entries = json.loads(text) if text.startswith("[") else [json.loads(line) for line in text.splitlines()]
    return {str(entry["Service"]): _state(entry) for entry in entries}


def stop_service(project: Path, name: str) -> None:
    """Stop a container; `unless-stopped` does not bring it back."""
    _run(project, "stop", name)


def start_service(project: Path, name: str) -> None:
    """Start it again."""
    _run(project, "start", name)


def logs(project: Path, names: Sequence[str], *, following: bool, lines: int) -> int:
    """Hand over to docker compose logs."""
    words = ["logs", f"--tail={lines}", *(["--follow"] if following else []), *names]
    return subprocess.run(_compose(project, *words), cwd=project, check=False).returncode


def _take_changes(project: Path, services: Sequence[str]) -> None:
    """Start running containers again whose files changed; compose does so for changed settings only."""
    running = states(project) if services else {}
    names = [name for name in services if name in running and running[name].phase not in {"stopped", "held"}]
    if names:
        _run(project, "restart", *names)


def _state(entry: Mapping[str, object]) -> ServiceState:
    state, health = str(entry.get("State", "")), str(entry.get("Health", ""))
    phase: Phase = _PHASES.get(state, "failing")
    if state == "running" and health in {"", "healthy"}:
        phase = "ready"
    elif health == "unhealthy":
        phase = "unready"
    elif state == "exited" and entry.get("ExitCode") == 0:
        phase = "finished"
    return ServiceState(str(entry["Service"]), phase, detail=str(entry.get("Status", "")))


def _run(project: Path, *words: str) -> None:
    done = subprocess.run(_compose(project, *words), cwd=project, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StartError(
            f"docker compose {' '.join(words)} failed", done.stderr.strip()[-300:], "docker compose ps"
        )


def _compose(project: Path, *words: str) -> list[str]:
    # What runs behind a profile is stopped, shown and ended too, whatever the settings say by then.
    every = [] if words[0] == "up" else ["--profile=*"]
    return ["docker", "compose", "-f", str(project / COMPOSE_FILE), *every, *words]


def compose_environ(settings: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """What compose is started with: `chosen` above all, for the profiles in it follow from settings, too."""
    names = {"PATH", "HOME"}
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key in names or key.startswith(("DOCKER_", "COMPOSE_"))
    }
    return {**settings, **inherited, **chosen}


def _marker(layout: Layout) -> Path:
    return layout.root / "docker.json"
