"""From "not running" to a launched supervisor: checks, packages, the account, the detached start."""

import fcntl
import importlib
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firedrill.errors import EnvironmentProblem
from firedrill.local import doctor, packages, privileges, system
from firedrill.local.launch import Launch, passed_on
from firedrill.local.layout import SYSTEM_STATE, Layout, cache_folder, is_root, python, state_folder
from firedrill.local.plan import Plan, make_plan
from firedrill.local.processes import MARK, Identity
from firedrill.local.programs import find_on_path, pacer
from firedrill.local.records import StackState, read_state
from firedrill.settings import Settings

NO_HOME = "/nonexistent"
_LIVE = {"preparing", "running", "stopping"}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Site:
    """Where this user's stack of this project lives; `environ` is the caller's."""

    project: Path
    layout: Layout
    cache: Path
    environ: Mapping[str, str]


def site(project: Path, environ: Mapping[str, str]) -> Site:
    """The state and cache folders for the calling user."""
    root = is_root()
    return Site(
        project, Layout(state_folder(project, environ, root=root)), cache_folder(environ, root=root), environ
    )


def running_state(layout: Layout) -> StackState | None:
    """The state of a stack whose supervisor lives, or None. EnvironmentProblem for another user's."""
    try:
        layout.state_file.exists()
    except PermissionError:
        raise EnvironmentProblem(
            f"{layout.root} cannot be read",
            "the stack was started by another user",
            "ask as that user, or as root",
        ) from None
    state = read_state(layout.state_file)
    if state is None or state.status not in _LIVE:
        return None
    alive = Identity(state.supervisor_pid, state.supervisor_born).process()
    return state if alive is not None else None


def plan_for(where: Site, settings: Settings) -> Plan:
    """What would run, from the checkout itself."""
    return make_plan(where.project, settings, where.layout, pace=pacer(settings.pace), find=find_on_path)


def examine(where: Site, settings: Settings) -> list[doctor.Finding]:
    """The doctor's findings for this site, and settings that nobody reads."""
    environ = {**where.environ, "FIREDRILL_CACHE": str(where.cache)}
    findings = doctor.examine(
        lambda: plan_for(where, settings),
        layout=where.layout,
        cache=where.cache,
        to_build=lambda plan: _to_build(plan, environ),
        find_go=lambda missing: _find_go(missing, environ),
        machine=doctor.this_machine(),
        running=running_state(where.layout) is not None,
    )
    return [*findings, *(doctor.Finding("settings", warning) for warning in settings.warnings)]


def _to_build(plan: Plan, environ: Mapping[str, str]) -> list[str]:
    binaries = importlib.import_module("firedrill.binaries")
    components = [one.component for one in plan.processes.values() if one.component]
    return list(binaries.missing(components, environ=environ))


def _find_go(missing: list[str], environ: Mapping[str, str]) -> None:
    binaries = importlib.import_module("firedrill.binaries")
    gotool = importlib.import_module("firedrill.build.gotool")
    build_settings = importlib.import_module("firedrill.build.settings")
    for name in missing[:1]:
        pin = binaries.wanted(name)
        gotool.find(build_settings.from_environment(environ), toolchain=pin.toolchain, minimum=pin.minimum_go)


@contextmanager
def one_at_a_time(layout: Layout) -> Iterator[None]:
    """Two `up` at once: the second waits until the first has launched, and then follows."""
    layout.root.mkdir(parents=True, exist_ok=True)
    with (layout.root / "up.lock").open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def launch(
    where: Site, settings: Settings, plan: Plan, *, began: float, say: Say
) -> tuple[str, "subprocess.Popen[bytes]"]:
    """Start the detached supervisor; gives instance and process. Raises EnvironmentProblem."""
    lacking = system.missing(
        one.program.kind for one in plan.processes.values() if one.program.kind in system.PACKAGES
    )
    if lacking:
        packages.install(lacking, say)
    layout = where.layout
    account = privileges.unprivileged_account() if is_root() else None
    code = where.project
    if account is not None:
        code = _prepare_for(account, where, say)
    layout.make_folders()
    environ = passed_on(where.environ, _module_sources(where.environ))
    started = Launch(
        instance=uuid.uuid4().hex,
        began=began,
        project=str(where.project),
        code=str(code),
        cache=str(where.cache),
        settings=dict(settings.values),
        environ=environ,
    )
    started.write(layout)
    if account is not None:
        privileges.own_folder(layout.root, account, deep=True)
    return started.instance, _detach(started, layout, account)


def _prepare_for(account: privileges.Account, where: Site, say: Say) -> Path:
    """Folders and a copy of the project that the account can use."""
    say(f"you are root, so everything runs as the user {account.name}")
    if where.layout.root.is_relative_to(SYSTEM_STATE):
        SYSTEM_STATE.mkdir(parents=True, exist_ok=True)
        SYSTEM_STATE.chmod(0o755)
    privileges.own_folder(where.layout.root, account, deep=False)
    # The cache holds 100,000 module files: all are looked at only when one near the top is another's.
    privileges.own_folder(where.cache, account, deep=not privileges.owns_top(where.cache, account))
    privileges.copy_project(where.project, where.layout.project_copy, account)
    privileges.check_access(account, [where.layout.root, where.cache, where.layout.project_copy])
    return where.layout.project_copy


def build(where: Site, names: Sequence[str], *, everything: bool, say: Say) -> int:
    """Build components in a process of its own, for root as the unprivileged account. Gives its exit code."""
    wanted = list(names)
    if everything:
        pins = importlib.import_module("firedrill.build.pins")
        wanted = [one.name for one in pins.load().components]
    environ = {
        **passed_on(where.environ, _module_sources(where.environ)),
        "HOME": str(Path.home()), "FIREDRILL_CACHE": str(where.cache),
    }  # fmt: skip
    command = [python(), "-m", "firedrill.build", *wanted]
    if not is_root():
        return subprocess.run(command, cwd=where.project, env=environ, check=False).returncode
    account = privileges.unprivileged_account()
    code = _prepare_for(account, where, say)
    environ |= {"HOME": NO_HOME, "PYTHONPATH": str(code)}
    return subprocess.run(
        command, cwd=code, env=environ, check=False, user=account.uid, group=account.gid, extra_groups=[]
    ).returncode


def _module_sources(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The caller's Go proxy settings, which a builder under another account would not find."""
    gotool = importlib.import_module("firedrill.build.gotool")
    build_settings = importlib.import_module("firedrill.build.settings")
    try:
        found: Mapping[str, str] = gotool.module_sources(build_settings.from_environment(environ))
    except EnvironmentProblem:
        return {}
    return found


def _detach(started: Launch, layout: Layout, account: privileges.Account | None) -> "subprocess.Popen[bytes]":
    environ = {
        **started.environ,
        # Another account gets a folder that is not there, so that Go keeps its files in our cache.
        "HOME": str(Path.home()) if account is None else NO_HOME,
        "FIREDRILL_CACHE": started.cache,
        "FIREDRILL_PROJECT": started.code,
        "FIREDRILL_STATE": str(layout.root),
        "PYTHONPATH": started.code,
        "PYTHONUNBUFFERED": "1",
        MARK: started.instance,
    }
    command = [python(), "-m", "firedrill.local.supervisor", str(layout.root)]
    with layout.supervisor_log.open("ab") as log:
        log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} starting\n".encode())
        log.flush()
        if account is not None:
            os.chown(layout.supervisor_log, account.uid, account.gid)
            return subprocess.Popen(
                command, cwd=started.code, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, user=account.uid, group=account.gid, extra_groups=[], umask=0o027,
            )  # fmt: skip
        return subprocess.Popen(
            command, cwd=started.code, env=environ, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, umask=0o027,
        )  # fmt: skip
