"""A fake go command, pins of two invented components, and a cache of the test's own."""

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from firedrill.build import main
from firedrill.build.pins import Pins, parse

SUM = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
PINS = f"""
toolchain: go1.99.1
minimum_go: "1.21"
components:
  alpha:
    module: example.test/alpha
    module_version: v1.2.3
    sum: {SUM}
    version: 1.2.3
    version_variables: [example.test/alpha.Version]
    placeholders: [ui/index.html]
    binaries: {{alpha: ./cmd/alpha, alphatool: ./cmd/alphatool}}
    seconds: 10
  beta:
    module: example.test/beta
    module_version: v2.0.0
    sum: {SUM}
    version: 2.0.0
    binaries: {{beta: ./cmd/beta}}
    seconds: 5
"""

# What a test wants to happen is in $FAKE_GO; every call is noted in $FAKE_CALLS.
GO = """#!/bin/sh
echo "$@" >> "$FAKE_CALLS"
case "$1" in
env)
  echo '{"GOVERSION": "'"${FAKE_VERSION:-go1.30.0}"'", "GOPROXY": "off"}'; exit 0 ;;
mod)
  case "$FAKE_GO" in
  refused) echo '{"Error": "example.test/alpha@v1.2.3: reading the proxy: 403 Forbidden"}'; exit 1 ;;
  offline) echo 'go: dial tcp: lookup proxy.test: no such host' >&2; exit 1 ;;
  esac
  echo '{"Dir": "'"$FAKE_MODULE"'", "Sum": "'"$FAKE_SUM"'"}'; exit 0 ;;
list)
  echo 'dep example.test/dep'; echo 'main example.test/alpha/cmd/alpha'; exit 0 ;;
build)
  case "$FAKE_GO:$*" in
  diskfull:*) echo 'write /tmp/b001: no space left on device' >&2; exit 1 ;;
  broken:*alpha*)
    echo '# example.test/alpha' >&2; echo 'main.go:3:1: syntax error: unexpected EOF' >&2; exit 1 ;;
  stuck:*) echo $$ > "$FAKE_PID"; exec sleep 60 ;;
  gated:*) echo $$ > "$FAKE_PID"; while [ ! -e "$FAKE_GATE" ]; do sleep 0.05; done ;;
  esac
  echo 'example.test/dep' >&2; echo 'example.test/alpha/cmd/alpha' >&2
  while [ "$1" != -o ]; do shift; done
  printf '#!/bin/sh\\necho "thing version 1.2.3"\\n' > "$2"; chmod +x "$2" ;;
esac
"""


@dataclass
class Bench:
    """A folder with a fake go and an empty cache, and the environment that leads to them."""

    folder: Path
    pins: Pins = field(default_factory=lambda: parse(PINS))

    def __post_init__(self) -> None:
        module = self.folder / "module"
        (module / "cmd").mkdir(parents=True)
        (module / "go.mod").write_text("module example.test/alpha\n")
        module.chmod(0o555)
        self.write_tool("go", GO)

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    @property
    def calls(self) -> list[str]:
        noted = self.folder / "calls"
        return noted.read_text().splitlines() if noted.exists() else []

    def write_tool(self, name: str, text: str) -> Path:
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        path = tools / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def environ(self, behaviour: str = "", **more: str) -> dict[str, str]:
        return {
            "PATH": f"{self.folder / 'tools'}:/usr/bin:/bin",
            "FIREDRILL_CACHE": str(self.cache),
            "FAKE_GO": behaviour,
            "FAKE_CALLS": str(self.folder / "calls"),
            "FAKE_MODULE": str(self.folder / "module"),
            "FAKE_SUM": SUM,
            "FAKE_PID": str(self.folder / "pid"),
            "FAKE_GATE": str(self.folder / "gate"),
            **more,
        }

    def build(
        self, *names: str, environ: Mapping[str, str] | None = None
    ) -> tuple[int, list[dict[str, object]]]:
        """Exit code and events of one run."""
        out = io.StringIO()
        code = main(names, True, environ=environ or self.environ(), out=out, pins=self.pins)
        return code, [json.loads(line) for line in out.getvalue().splitlines()]

    def binary(self, name: str, folder: str = "alpha-v1.2.3") -> Path:
        (found,) = (self.cache / "bin").glob(f"{folder}-*/{name}")
        return found


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)
