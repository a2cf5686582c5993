"""Getting a component's sources ready: download, check, copy, make writable, mend what its module lacks."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firedrill.build import failures
from firedrill.build.children import Children
from firedrill.build.gotool import Go
from firedrill.build.pins import ROOT, Component
from firedrill.build.settings import Settings
from firedrill.errors import BuildError

LISTED = "{{.Name}} {{.ImportPath}}"
PLACEHOLDER = "<!doctype html><title>No page</title><p>Built without its web page. The API is complete.</p>\n"


@dataclass(frozen=True)
class Sources:
    """A writable copy of the sources and what its build will compile."""

    component: Component
    folder: Path
    mode: str  # the go command's -mod
    packages: int
    mains: frozenset[str]  # import paths of the programs
    seconds: float


@dataclass(frozen=True)
class Fetcher:
    """Readies sources; one instance may be used by the foreground and by one background thread."""

    settings: Settings
    go: Go
    children: Children
    clock: Callable[[], float]

    def fetch(self, component: Component, tick: Callable[[], None] = lambda: None) -> Sources:
        """Download and mend the sources of `component`. Raises BuildError, CancelledError."""
        begin = self.clock()
        log = log_path(self.settings, component)
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        origin = ROOT / component.source if component.source else self._download(component, log, tick)
        folder = self.settings.work / component.name / "src"
        copy_writable(origin, folder)
        mend(component, folder)
        for arguments in component.first:
            self._go(component, log, tick, folder, list(arguments))
        mode = "mod" if component.replace_with_required else "readonly"
        listing = self._go(component, log, tick, folder, [
            "list", "-deps", "-f", LISTED, f"-mod={mode}", "-tags", ",".join(component.tags),
            *component.binaries.values(),
        ])  # fmt: skip
        packages = [line.split() for line in listing.splitlines() if line]
        mains = frozenset(words[1] for words in packages if words[0] == "main")
        return Sources(component, folder, mode, len(packages), mains, self.clock() - begin)

    def _download(self, component: Component, log: Path, tick: Callable[[], None]) -> Path:
        nowhere = self.settings.work / component.name / "empty"
        nowhere.mkdir(parents=True, exist_ok=True)
        wanted = f"{component.module}@{component.module_version}"
        answer = self._go(component, log, tick, nowhere, ["mod", "download", "-json", wanted])
        found = json.loads(answer)
        if found.get("Sum") != component.sum:
            raise failures.wrong_sum(component, found.get("Sum", ""))
        return Path(found["Dir"])

    def _go(
        self, component: Component, log: Path, tick: Callable[[], None], folder: Path, arguments: list[str]
    ) -> str:
        environ = self.go.environment(component)
        with log.open("a") as handle:
            handle.write(f"$ go {' '.join(arguments)}\n")
            code, output = self.children.run(
                [str(self.go.command), *arguments], folder=folder, environ=environ, log=handle, tick=tick
            )
            if code and output:
                handle.write(output)  # `go mod download -json` tells its error there
        if code:
            raise failures.explain(component, log, step="download")
        return output


def log_path(settings: Settings, component: Component) -> Path:
    """Where the last build's log of the component is kept."""
    return settings.logs / f"{component.name}.log"


def copy_writable(origin: Path, target: Path) -> None:
    """Copy a folder of the module cache, whose files and folders are read-only, so that it can be changed."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(origin, target, copy_function=shutil.copyfile, symlinks=True)
    for path in (target, *target.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)


def mend(component: Component, folder: Path) -> None:
    """Put in what the module's archive lacks: pages to embed, and a replacement that points outside of it."""
    for name in component.placeholders:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(PLACEHOLDER)
    if component.replace_with_required:
        gomod = folder / "go.mod"
        gomod.write_text(replaced_by_required(gomod.read_text(), component.replace_with_required))


def replaced_by_required(gomod: str, module: str) -> str:
    """The text of a go.mod in which `module` is replaced by the version that the same file requires.

    A module's archive holds no other module, so a replacement by a folder cannot be obeyed outside of its
    repository. Raises BuildError when the file has no such requirement or replacement.
    """
    name = re.escape(module)
    required = re.search(rf"^\s*(?:require\s+)?{name}\s+(v\S+)", gomod, re.M)
    line = re.compile(rf"^(\s*(?:replace\s+)?{name}\s+=>)\s+\./\S+", re.M)
    if not required or not line.search(gomod):
        raise BuildError(
            f"go.mod does not replace {module} by a folder",
            "the pin says that it does",
            "correct replace_with_required in backends/pins.yaml",
        )
    return line.sub(rf"\1 {module} {required[1]}", gomod)
