"""The stand-ins: for each image of docker-compose.yml its user, entry point, folders, and shell or none.

docs/images.md names the sources of these facts.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from firedrill.build.pins import load
from firedrill.build.settings import Settings
from firedrill.build.store import folder
from tests.compose.standins import debian
from tests.compose.standins.archive import Entry, Folder, Image, Link, Owner, Program, Text, Tree, folders

HERE = Path(__file__).resolve().parent
BUSYBOX = Path("/bin/busybox")
APPLETS = (
    "sh",
    "wget",
    "cat",
    "chown",
    "grep",
    "id",
    "kill",
    "ls",
    "mkdir",
    "ps",
    "sed",
    "sleep",
    "test",
    "true",
    "wc",
)
NOBODY, UNPRIVILEGED, SERVER, GRAFANA = (
    Owner(65534, 65534),
    Owner(10001, 10001),
    Owner(999, 999),
    Owner(472, 0),
)
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
USERS = Text(
    "/etc/passwd",
    "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
)
GROUPS = Text("/etc/group", "root:x:0:\nnobody:x:65534:\n")
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Sources:
    """Where the parts of the stand-ins are on this machine."""

    def __init__(self, cache: Settings, roots: Path, index: str) -> None:
        self._cache, self._roots, self._pins = cache, roots, load()
        self.index = index

    def program(self, component: str, binary: str) -> Path:
        """A binary that `firedrill build` has made."""
        return self.files(component) / binary

    def files(self, component: str) -> Path:
        """The folder of a component in the cache."""
        found = self._pins.find(component)
        assert found is not None, f"nothing is pinned under the name {component}"
        return folder(self._cache, found)

    def root(self, root: debian.Root) -> Tree:
        """A Debian root, made when it is not there yet."""
        return Tree("/", debian.make(root, self._roots), root.key)


def busybox() -> tuple[Entry, ...]:
    """A root with a shell and wget, as the small official images have it."""
    links = (Link(f"/bin/{name}", "busybox") for name in APPLETS)
    return (*empty(), Program("/bin/busybox", BUSYBOX), *links, USERS, GROUPS)


def empty() -> tuple[Entry, ...]:
    """A root in which nothing can be run."""
    return (
        *folders("/etc", "/etc/ssl", "/etc/ssl/certs", "/bin", "/usr", "/usr/bin", "/var"),
        Folder("/tmp", 0o1777),
    )


def _small(
    binary: str,
    inside: str,
    *more: Entry,
    settings: tuple[str, ...],
    shell: bool = True,
    component: str = "",
    tool: str = "",
) -> Callable[[str, Sources], Image]:
    """A root with one program, and perhaps its tool beside it."""

    def image(name: str, sources: Sources) -> Image:
        programs = [Program(inside, sources.program(component or binary, binary))]
        if tool:
            programs.append(Program(f"/bin/{tool}", sources.program(component or binary, tool)))
        entries = (*(busybox() if shell else empty()), *more, *programs)
        return Image(name, entries, (f'ENTRYPOINT ["{inside}"]', *settings))

    return image


def _python(name: str, sources: Sources) -> Image:
    # Where packages come from is the only thing that services/Dockerfile finds otherwise here.
    index, host = sources.index, _host(sources.index)
    pip = f"[global]\nno-index = true\nfind-links = {index}\ntrusted-host = {host}\n"
    uv = f'no-index = true\nfind-links = ["{index}"]\nallow-insecure-host = ["{host}"]\n'
    entries = (
        sources.root(debian.PYTHON),
        Text("/etc/pip.conf", pip),
        Folder("/etc/uv"),
        Text("/etc/uv/uv.toml", uv),
    )
    return Image(name, entries, (f"ENV {PATH}", "ENV LANG C.UTF-8", 'CMD ["python3"]'))


def _postgres(name: str, sources: Sources) -> Image:
    entries = (
        sources.root(debian.POSTGRES),
        Text("/usr/local/bin/docker-entrypoint.sh", (HERE / "postgres-entrypoint.sh").read_text(), 0o755),
        Folder("/docker-entrypoint-initdb.d"),
        Folder("/var/run/postgresql", 0o3777, SERVER),
        Folder("/var/lib/postgresql/data", 0o1777, SERVER),
    )
    return Image(
        name, entries,
        (
            f"ENV {PATH}:/usr/lib/postgresql/15/bin", "ENV PGDATA /var/lib/postgresql/data",
            "VOLUME /var/lib/postgresql/data", 'ENTRYPOINT ["docker-entrypoint.sh"]', 'CMD ["postgres"]',
        ),
    )  # fmt: skip


def _redis(name: str, sources: Sources) -> Image:
    entries = (
        sources.root(debian.REDIS),
        Text("/usr/local/bin/docker-entrypoint.sh", (HERE / "redis-entrypoint.sh").read_text(), 0o755),
        Folder("/data", 0o755, SERVER),
    )
    return Image(
        name, entries,
        (
            f"ENV {PATH}", "VOLUME /data", "WORKDIR /data", 'ENTRYPOINT ["docker-entrypoint.sh"]',
            'CMD ["redis-server"]',
        ),
    )  # fmt: skip


def _promtail(name: str, sources: Sources) -> Image:
    program = Program("/usr/bin/promtail", sources.program("promtail", "promtail"))
    settings = (
        f"ENV {PATH}", 'ENTRYPOINT ["/usr/bin/promtail"]', 'CMD ["-config.file=/etc/promtail/config.yml"]',
    )  # fmt: skip
    return Image(name, (sources.root(debian.BASE), program), settings)


def _grafana(name: str, sources: Sources) -> Image:
    home, files = "/usr/share/grafana", sources.files("grafana-server")
    paths = {
        "CONFIG": "/etc/grafana/grafana.ini", "DATA": "/var/lib/grafana", "HOME": home,
        "LOGS": "/var/log/grafana", "PLUGINS": "/var/lib/grafana/plugins",
        "PROVISIONING": "/etc/grafana/provisioning",
    }  # fmt: skip
    program = sources.program("grafana-server", "grafana-server")
    key = (files / "grafana-server.sha256").read_text()
    entries = (
        sources.root(debian.BASE),
        Program("/bin/busybox", BUSYBOX), Link("/usr/local/bin/wget", "/bin/busybox"),
        *folders(home, f"{home}/bin", "/etc/grafana"),
        *folders("/etc/grafana/provisioning", "/var/lib/grafana", owner=GRAFANA, mode=0o777),
        *folders("/var/lib/grafana/plugins", "/var/log/grafana", owner=GRAFANA, mode=0o777),
        Text("/etc/grafana/grafana.ini", ""),
        Text("/run.sh", (HERE / "grafana-run.sh").read_text(), 0o755),
        Program(f"{home}/bin/grafana", program),
        Tree(f"{home}/conf", files / "conf", key), Tree(f"{home}/public", files / "public", key),
    )  # fmt: skip
    settings = [f"ENV GF_PATHS_{key} {value}" for key, value in paths.items()]
    return Image(
        name, entries,
        (f"ENV {PATH}:{home}/bin", *settings, f"WORKDIR {home}", "USER 472", 'ENTRYPOINT ["/run.sh"]'),
    )  # fmt: skip


RECIPES: Mapping[str, Callable[[str, Sources], Image]] = {
    "python": _python,
    "postgres": _postgres,
    "redis": _redis,
    "grafana/promtail": _promtail,
    "grafana/grafana": _grafana,
    "prom/prometheus": _small(
        "prometheus", "/bin/prometheus",
        *folders("/etc/prometheus", "/prometheus", owner=NOBODY),
        settings=("USER nobody", "WORKDIR /prometheus", "VOLUME /prometheus"), tool="promtool",
    ),
    "prom/alertmanager": _small(
        "alertmanager", "/bin/alertmanager",
        *folders("/etc/alertmanager", "/alertmanager", owner=NOBODY),
        settings=("USER nobody", "WORKDIR /alertmanager", "VOLUME /alertmanager"), tool="amtool",
    ),
    "prom/node-exporter": _small("node_exporter", "/bin/node_exporter", settings=("USER nobody",)),
    "prometheuscommunity/postgres-exporter": _small(
        "postgres_exporter", "/bin/postgres_exporter", settings=("USER nobody",)
    ),
    "oliver006/redis_exporter": _small("redis_exporter", "/redis_exporter", settings=("USER 59000:59000",)),
    "jaegertracing/jaeger": _small(
        "jaeger", "/cmd/jaeger/jaeger-linux",
        *folders("/cmd", "/cmd/jaeger"),
        settings=("ENV JAEGER_LISTEN_HOST=0.0.0.0", "VOLUME /tmp", "USER 10001"),
    ),
    "otel/opentelemetry-collector-contrib": _small(
        "otelcol", "/otelcol-contrib", Program("/etc/ssl/certs/ca-certificates.crt", CERTIFICATES),
        settings=('CMD ["--config", "/etc/otelcol-contrib/config.yaml"]', "USER 10001"),
        component="collector", shell=False,
    ),
    "grafana/tempo": _small(
        "tempo", "/tempo", Folder("/var/tempo", 0o700, UNPRIVILEGED),
        Folder("/busybox"), Program("/busybox/busybox", BUSYBOX),
        *(Link(f"/busybox/{name}", "busybox") for name in APPLETS),
        settings=("USER 10001:10001",), shell=False,
    ),
    "grafana/loki": _small(
        "loki-of-image", "/usr/bin/loki",
        *folders("/etc/loki", "/loki", "/loki/rules", "/loki/rules-temp", owner=UNPRIVILEGED),
        settings=("USER 10001", 'CMD ["-config.file=/etc/loki/local-config.yaml"]'),
        shell=False,
    ),
}  # fmt: skip
"""By the official image's name without its tag."""


def standin(name: str, sources: Sources) -> Image:
    """The stand-in for an official image with its tag."""
    return RECIPES[name.partition(":")[0]](name, sources)


def _host(address: str) -> str:
    return address.partition("//")[2].partition(":")[0]
