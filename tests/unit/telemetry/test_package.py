"""telemetry/ is a package of its own: built as a wheel, installed elsewhere, and used as its README says."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "telemetry"

RUN = """
import sys
from starlette.testclient import TestClient
import telemetry as package
with TestClient(app) as client:
    answer = client.post("/orders/book", headers={"User-Agent": "test"})
    assert answer.json() == {"kind": "book"}, answer.text
    assert len(answer.headers["X-Trace-Id"]) == 32
    text = client.get("/metrics").text
    assert 'shop_orders_total{kind="book"} 1.0' in text, text
    assert client.get("/health/ready").status_code == 200
telemetry.shutdown()
sys.stderr.write(package.__file__)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the installed wheel."""
    wheels, target = tmp_path_factory.mktemp("wheels"), tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(wheels)]
    subprocess.run([*pip, *build, str(FOLDER)], check=True, cwd=wheels, timeout=120)
    (wheel,) = wheels.glob("firedrill_telemetry-*.whl")
    install = ["install", "--quiet", "--no-deps", "--no-index", "--target", str(target), str(wheel)]
    subprocess.run([*pip, *install], check=True, cwd=wheels, timeout=120)
    return target


def test_the_wheel_holds_every_module_and_nothing_else(installed: Path) -> None:
    """Under the name by which the services import it."""
    packed = {path.name for path in (installed / "telemetry").iterdir() if path.suffix == ".py"}
    assert packed == {path.name for path in FOLDER.glob("*.py")}
    others = {path.name for path in installed.iterdir()} - {"telemetry"}
    assert {name.split("-")[0] for name in others} == {"firedrill_telemetry"}


def test_the_readmes_application_runs_outside_the_repository(installed: Path, tmp_path: Path) -> None:
    """From the installed package: metrics, ids in the answer, JSON lines, and the planted address masked."""
    (code,) = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.S)
    script = tmp_path / "shop.py"
    script.write_text(code + RUN, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(installed), "OTEL_TRACES_EXPORTER": "none", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert str(installed) in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    (taken,) = [line for line in lines if line["message"] == "Order taken"]
    assert taken["contact"] == "***EMAIL_MASKED***"
    assert (taken["service"], taken["system"]) == ("shop", "own")
    assert "Request handled" in {line["message"] for line in lines}


def test_every_library_that_is_imported_is_named() -> None:
    """As a dependency or, for the clients, as an extra; each within a range."""
    project = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    named = [*project["dependencies"], *(one for extra in extras for one in extra)]
    assert all(">=" in one for one in named)
    names = {re.split(r"[>=<\[]", one)[0].replace("-", "_").lower() for one in named}
    imported = {
        match
        for path in FOLDER.glob("*.py")
        for match in re.findall(r"^\s*(?:from|import) ([a-z_0-9]+)", path.read_text(encoding="utf-8"), re.M)
    }
    foreign = imported - set(sys.stdlib_module_names) - {"telemetry", "opentelemetry"}
    assert foreign <= names
