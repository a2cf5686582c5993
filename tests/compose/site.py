"""What the compose test stands on: engine, stand-in images, a clean checkout, and the stack run from it."""

import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import yaml

from firedrill import stack as running_stack
from firedrill.build import settings as build_settings
from firedrill.clients import Jaeger, Loki, open_http
from tests.compose import engine
from tests.compose.engine import Engine
from tests.compose.standins import wheels
from tests.compose.standins.archive import Image
from tests.compose.standins.images import RECIPES, Sources, standin

ROOT = Path(__file__).resolve().parents[2]
PARITY = ROOT / "reports" / "parity-docker.json"  # for the comparison with the local runtime
PORT_OFFSET = "2024"
LABEL = "firedrill.standin"
COMPONENTS = (
    "prometheus", "alertmanager", "node_exporter", "collector", "jaeger", "loki-of-image", "promtail",
    "postgres_exporter", "redis_exporter", "tempo", "docker-compose", "grafana-server",
)  # fmt: skip
# The image that services/Dockerfile stands on, and the one that it makes.
OWN_IMAGE = "firedrill/services"
# What `up` itself sets; a value of ours would be in its way.
SET_BY_UP = {"CONFIG_DIR", "RULES_DIR", "COLLECTOR_OVERLAY", "RULES_RESEND_DELAY"}


@dataclass
class Site:
    """The clean checkout on the test's engine; `seconds` says how long each part took."""

    engine: Engine
    checkout: Path
    environ: Mapping[str, str]
    http: httpx.Client
    seconds: dict[str, float] = field(default_factory=dict)

    def make(self, *words: str, seconds: float = 600) -> "subprocess.CompletedProcess[str]":
        """`make` in the checkout; the caller looks at the exit code."""
        return subprocess.run(
            ["make", *words], cwd=self.checkout, env=dict(self.environ), capture_output=True, text=True,
            check=False, timeout=seconds,
        )  # fmt: skip

    def must(self, *words: str, seconds: float = 600) -> str:
        """The output of a `make` that has to succeed."""
        done = self.make(*words, seconds=seconds)
        assert done.returncode == 0, (
            f"make {' '.join(words)}: exit {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        )
        return done.stdout

    def firedrill(self, *words: str, seconds: float = 300) -> "subprocess.CompletedProcess[str]":
        """The checkout's own `firedrill` with `words`; the caller looks at the exit code."""
        return subprocess.run(
            [self.checkout / ".venv/bin/firedrill", *words], cwd=self.checkout, env=dict(self.environ),
            capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip

    def volume(self, name: str) -> Path:
        """Where a named volume's files are on this machine."""
        return self.engine.data / "volumes" / f"firedrill_{name}" / "_data"

    def view(self) -> running_stack.Stack:
        """The stack as the firedrill package sees it."""
        return running_stack.current({**self.environ, "FIREDRILL_PROJECT": str(self.checkout)})

    @property
    def loki(self) -> Loki:
        """A client for its Loki."""
        return Loki(self.view().url("loki"), http=self.http)

    @property
    def jaeger(self) -> Jaeger:
        """A client for its Jaeger."""
        return Jaeger(self.view().url("jaeger"), http=self.http)


def folder() -> Path:
    """Where the test keeps what is costly to make: images, Debian roots, wheels, the checkout's packages.

    Beside the cache, not in it: whatever lies in there the local runtime gives to the user that serves.
    """
    cache = build_settings.from_environment(os.environ).cache
    return cache.with_name(f"{cache.name}-compose")


def build_components() -> None:
    """Compile what is missing."""
    done = subprocess.run(
        ["nice", "-n", "19", str(ROOT / ".venv/bin/firedrill"), "build", *COMPONENTS], cwd=ROOT, check=False,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-2000:]}"


def official_images() -> dict[str, str]:
    """Each image that is not made from this project: of docker-compose.yml and of services/Dockerfile.

    Without those that a profile starts and nobody stands in for.
    """
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    found = {
        name: block["image"]
        for name, block in services.items()
        if not block["image"].startswith(OWN_IMAGE)
        and (not block.get("profiles") or block["image"].partition(":")[0] in RECIPES)
    }
    bases = re.findall(r"^FROM (\S+:\S+)", (ROOT / "services/Dockerfile").read_text(), re.M)
    return {**found, **{f"base {base}": base for base in bases}}


def requirements() -> list[Path]:
    """The lists of packages that services/Dockerfile installs."""
    text = (ROOT / "services/Dockerfile").read_text()
    return [ROOT / name for name in sorted(set(re.findall(r"requirements/\w+\.txt", text)))]


def make_images(own: Engine, index: str) -> dict[str, str]:
    """Import the stand-ins that the engine lacks; what was done for each image."""
    sources = Sources(build_settings.from_environment(os.environ), folder() / "roots", index)
    told = {}
    for name in sorted(set(official_images().values())):
        begin = time.monotonic()
        image = standin(name, sources)
        if _label(own, name) == image.hash:
            told[name] = "there"
            continue
        _import(own, image)
        told[name] = f"made in {time.monotonic() - begin:.1f} s"
    return told


def _label(own: Engine, name: str) -> str:
    words = ["docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{LABEL}"}}}}', name]
    done = subprocess.run(words, env=dict(own.environ), capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _import(own: Engine, image: Image) -> None:
    settings = [*image.settings, f"LABEL {LABEL}={image.hash}"]
    changes = [word for line in settings for word in ("--change", line)]
    with subprocess.Popen(
        ["nice", "-n", "19", "docker", "import", *changes, "-", image.name],
        env=dict(own.environ), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as child:  # fmt: skip
        assert child.stdin is not None
        assert child.stderr is not None
        with child.stdin as stream:
            image.write(stream)
        said = child.stderr.read().decode()
    assert child.returncode == 0, f"docker import {image.name}: {said}"


def make_checkout(target: Path) -> Path:
    """The project as a clean clone has it, with what is not committed yet; its .venv of before is kept."""
    for path in target.iterdir() if target.is_dir() else ():
        if path.name != ".venv":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
        capture_output=True, text=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        source = ROOT / name
        if source.is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)
    return target


def environment(own: Engine) -> dict[str, str]:
    """The engine's environment with every setting at its documented default: a user's .env has no say."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"^([A-Z][A-Z0-9_]*)=(.*)$", text, re.M))
    settings = {name: value for name, value in defaults.items() if name not in SET_BY_UP}
    return {
        **{
            name: value
            for name, value in own.environ.items()
            if name not in {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
        },
        **settings,
        "RUNTIME": "docker",
        "PORT_OFFSET": PORT_OFFSET,
        **{name: secrets.token_hex(16) for name in ("FAULTS_TOKEN", "POSTGRES_PASSWORD", "GRAFANA_PASSWORD")},
        "FIREDRILL_STATE": str(folder() / "state"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@contextmanager
def site() -> Iterator[Site]:
    """Everything but the stack itself: see the parts above; afterwards nothing of it runs."""
    seconds: dict[str, float] = {}

    def timed(what: str, begin: float) -> None:
        seconds[what] = time.monotonic() - begin

    begin = time.monotonic()
    engine.install_programs()
    timed("Debian packages", begin)
    begin = time.monotonic()
    build_components()
    timed("components from their Go modules", begin)
    begin = time.monotonic()
    wheels.download(requirements(), folder() / "wheels")
    timed("wheels", begin)
    compose = Sources(build_settings.from_environment(os.environ), folder(), "").program(
        "docker-compose", "docker-compose"
    )
    begin = time.monotonic()
    shutil.rmtree(folder() / "state", ignore_errors=True)
    with (
        engine.running(folder() / "engine", compose) as own,
        wheels.served(folder() / "wheels", str(engine.GATEWAY.ip)) as index,
        open_http(timeout_seconds=15.0) as http,
    ):
        timed("engine", begin)
        begin = time.monotonic()
        make_images(own, index)
        timed("stand-in images", begin)
        begin = time.monotonic()
        checkout = make_checkout(folder() / "checkout")
        timed("checkout", begin)
        here = Site(own, checkout, environment(own), http, seconds)
        try:
            yield here
        finally:
            here.make("down", seconds=180)
