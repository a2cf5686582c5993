"""The console's settings, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
# Services that the console asks and tells about faults; each by its variable <NAME>_URL.
FAULTY = ("judgment", "workflow", "ecommerce", "fds", "ml", "admin")


@dataclass(frozen=True)
class Settings:
    """Addresses of the backends (empty: not there), the token of what changes anything, and folders.

    `services` maps a service's name to its address; `state` is the local runtime's folder, None with docker;
    `project` is where slices/, config/ and docker-compose.yml stand as far as this runtime has them.
    """

    prometheus: str
    loki: str
    jaeger: str
    tempo: str
    alertmanager: str
    inbox: str
    services: Mapping[str, str]
    token: str
    pace: str
    boards: Path
    slices: Path
    platform: Path
    project: Path = PROJECT
    state: Path | None = None

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """From the variables that docker-compose.yml gives; what is missing is on this machine's defaults."""

        def address(name: str, port: int) -> str:
            return environ.get(name, f"http://127.0.0.1:{port}").rstrip("/")

        def folder(name: str, default: Path) -> Path:
            return Path(environ.get(name) or default)

        state = environ.get("FIREDRILL_STATE")
        return cls(
            prometheus=address("PROMETHEUS_URL", 9090),
            loki=address("LOKI_URL", 3100),
            jaeger=address("JAEGER_URL", 16686),
            tempo=environ.get("TEMPO_URL", "").rstrip("/"),
            alertmanager=address("ALERTMANAGER_URL", 9093),
            inbox=address("INBOX_URL", 8090),
            services={
                name: url.rstrip("/") for name in FAULTY if (url := environ.get(f"{name.upper()}_URL", ""))
            },
            token=environ.get("FAULTS_TOKEN", ""),
            pace=environ.get("PACE") or "production",
            boards=folder("CONSOLE_BOARDS", PROJECT / "dashboards"),
            slices=folder("CONSOLE_SLICES", PROJECT / "services"),
            platform=folder("CONSOLE_PLATFORM", PROJECT / "config" / "platform"),
            state=Path(state) if state else None,
        )
