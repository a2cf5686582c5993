"""Imports follow the arrows of the design, and importing a module does nothing."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGES = (
    "services", "telemetry", "faults", "limits", "fraudmodel", "firedrill", "console", "loadtest", "backends",
)  # fmt: skip

# package -> packages of this project that it may import, besides itself.
ARROWS = {
    "telemetry": frozenset[str](),
    "faults": frozenset({"telemetry"}),
    "limits": frozenset({"telemetry"}),
    "fraudmodel": frozenset[str](),
    "services": frozenset({"telemetry", "faults", "limits", "fraudmodel"}),
    "firedrill": frozenset({"backends"}),
    "console": frozenset({"telemetry", "faults", "firedrill"}),
    "loadtest": frozenset[str](),
    "backends": frozenset[str](),
}

# module of a slice -> modules of the same slice that it must not import:
# app -> api -> domain <- adapters; api -> signals -> telemetry; app -> faults -> adapters.
FORBIDDEN_IN_SLICE = {
    "domain": frozenset({"adapters", "signals", "api", "app", "faults", "settings", "ports", "store"}),
    "ports": frozenset({"adapters", "signals", "api", "app", "faults", "store"}),
    "adapters": frozenset({"signals", "api", "app", "faults"}),
    "store": frozenset({"signals", "api", "app", "faults"}),
    "signals": frozenset({"adapters", "api", "app", "faults", "store", "engine", "engines"}),
    "api": frozenset({"adapters", "app", "faults", "store"}),
    "faults": frozenset({"api", "app", "signals"}),
}


class Import(NamedTuple):
    """One import statement: who, whom, and the line."""

    module: str
    target: str
    line: int


def modules(root: Path) -> Iterator[tuple[str, Path]]:
    """Every module of the project with its file."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = list(path.relative_to(root).with_suffix("").parts)
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imports(root: Path) -> Iterator[Import]:
    """Every import of every module, those inside functions and for type checkers too."""
    for module, path in modules(root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (Import(module, alias.name, node.lineno) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = origin(node, module, package=path.name == "__init__.py")
                yield Import(module, base, node.lineno)
                yield from (Import(module, f"{base}.{alias.name}", node.lineno) for alias in node.names)


def origin(node: ast.ImportFrom, module: str, *, package: bool) -> str:
    """The full name of the module that a `from` import names, relative or not."""
    if node.level == 0:
        return str(node.module)
    parts = module.split(".")
    above = parts[: len(parts) - node.level + (1 if package else 0)]
    return ".".join([*above, *([node.module] if node.module else [])])


@pytest.fixture(scope="module")
def found(root: Path) -> list[Import]:
    """All imports of the project."""
    return list(imports(root))


def test_packages_import_only_along_the_arrows(found: list[Import]) -> None:
    """telemetry and firedrill know no service, load traffic and services no firedrill, nobody the console."""
    wrong = [
        f"{one.module}:{one.line} imports {one.target}"
        for one in found
        if (target := one.target.split(".")[0]) in PACKAGES
        and target != (own := one.module.split(".")[0])
        and target not in ARROWS[own]
        and not one.module.startswith("loadtest.bench")  # it measures telemetry and the running stack
        # Compiled by `make generate`, never served.
        and not (one.module.endswith(".dashboard") and one.target.startswith("firedrill.dashboards"))
    ]
    assert not wrong


def test_what_runs_imports_no_dashboard(found: list[Import]) -> None:
    """The package that builds dashboards is not there where services and the command run."""
    wrong = [
        f"{one.module}:{one.line} imports {one.target}"
        for one in found
        if not one.module.startswith("firedrill.dashboards.")
        and not one.module.endswith(".dashboard")
        and (
            one.target.startswith("grafana_foundation_sdk")
            or re.search(r"services\.\w+\.dashboard", one.target)
        )
    ]
    assert not wrong


def test_no_service_imports_another(found: list[Import]) -> None:
    """Slices meet over the network only."""
    wrong = [
        f"{one.module}:{one.line} imports {one.target}"
        for one in found
        if one.module.startswith("services.")
        and one.target.startswith("services.")
        and one.target.split(".")[1] != one.module.split(".")[1]
    ]
    assert not wrong


def test_domains_import_the_standard_library_only(found: list[Import]) -> None:
    """The rules of a service run without anything installed."""
    wrong = [
        f"{one.module}:{one.line} imports {one.target}"
        for one in found
        if one.module.startswith("services.")
        and one.module.endswith(".domain")
        and one.target.split(".")[0] not in sys.stdlib_module_names
    ]
    assert not wrong


def test_arrows_inside_a_slice(found: list[Import]) -> None:
    """app joins the parts; nobody else reaches past their neighbours, and nobody imports app."""
    wrong = []
    for one in found:
        own, target = one.module.split("."), one.target.split(".")
        if own[0] != "services" or target[0] != "services" or len(own) < 3 or len(target) < 3:
            continue
        if target[2] in FORBIDDEN_IN_SLICE.get(own[2], frozenset()) or (target[2] == "app" != own[2]):
            wrong.append(f"{one.module}:{one.line} imports {one.target}")
    assert not wrong


# Runs in a process of its own: imports every module named on the command line, and prints what that did.
WATCHER = """
import importlib, os, sys, threading
root = sys.argv[1]
seen = []

def caller():
    frame = sys._getframe(2)
    while frame and (frame.f_code.co_filename in (os.__file__, "<frozen os>", "<string>")
                     or "_collections_abc" in frame.f_code.co_filename):
        frame = frame.f_back
    return frame.f_code.co_filename if frame else ""

class Watched(type(os.environ)):
    def __getitem__(self, key):
        if caller().startswith(root) and "site-packages" not in caller():
            seen.append(f"{caller()} reads the environment variable {key}")
        return super().__getitem__(key)

os.environ.__class__ = Watched

def audit(event, arguments):
    # urllib3 looks whether ::1 exists by binding port 0: that is all that may be bound.
    bound = event == "socket.bind" and arguments[1][1] != 0
    # ifaddr, which NiceGUI imports, finds the C library so.
    if event == "subprocess.Popen" and arguments[0] == "/sbin/ldconfig":
        return
    if bound or event in ("socket.connect", "subprocess.Popen", "os.fork"):
        seen.append(f"{event} {arguments}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append(f"open for writing {arguments[0]}")

sys.addaudithook(audit)
for name in sys.argv[2:]:
    before = set(threading.enumerate())
    importlib.import_module(name)
    for thread in set(threading.enumerate()) - before:
        seen.append(f"{name} starts the thread {thread.name}")
print("\\n".join(seen))
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_does_nothing(package: str, root: Path) -> None:
    """No thread starts, no environment is read, no file is written, no process or peer is called."""
    names = [name for name, _ in modules(root) if name.split(".")[0] == package and "__main__" not in name]
    done = subprocess.run(
        [sys.executable, "-B", "-W", "ignore", "-c", WATCHER, str(root), *names],
        capture_output=True,
        text=True,
        cwd=root,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_watcher_sees_what_it_looks_for(tmp_path: Path) -> None:
    """The test above can fail: a module that does all of it is found out."""
    (tmp_path / "guilty.py").write_text(
        "import os, threading\n"
        "os.environ.get('HOME')\n"
        "threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "open('/dev/null', 'w').close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHER, str(tmp_path), "guilty"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=60,
    )
    for word in ("environment variable HOME", "starts the thread", "open for writing"):
        assert word in done.stdout, done.stdout + done.stderr
