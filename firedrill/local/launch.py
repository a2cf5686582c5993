"""What `up` hands to the supervisor: project, settings and environment, in a file that holds secrets."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from firedrill.errors import StartError
from firedrill.local.layout import Layout
from firedrill.local.records import read_json, write_json
from firedrill.settings import Settings

# What a build or a download may need of the caller's environment, besides variables that end as below.
_PASSED_ON = ("PATH", "LANG", "TZ", "GOPROXY", "GOSUMDB", "GOFLAGS", "GONOSUMDB", "GOTOOLCHAIN", "GOPRIVATE",
              "GONOPROXY", "GOINSECURE", "SSL_CERT_FILE", "SSL_CERT_DIR", "FIREDRILL_USE_PATH")  # fmt: skip


@dataclass(frozen=True)
class Launch:
    """One start of the stack; `project` is the checkout, `code` where it runs from, `began` the epoch."""

    instance: str
    began: float
    project: str
    code: str
    cache: str
    settings: Mapping[str, str]
    environ: Mapping[str, str]

    def write(self, layout: Layout) -> None:
        write_json(layout.launch_file, asdict(self))

    @property
    def known_settings(self) -> Settings:
        return Settings(self.settings)


def read_launch(layout: Layout) -> Launch:
    """The last launch. Raises StartError when there is none."""
    data = read_json(layout.launch_file)
    try:
        return Launch(**data)
    except TypeError:
        raise StartError(
            f"{layout.launch_file} cannot be used", "it is missing or of another version", "make up"
        ) from None


def passed_on(environ: Mapping[str, str], go_settings: Mapping[str, str]) -> dict[str, str]:
    """The part of the caller's environment that the supervisor gets; `go_settings` are what `go env` says."""
    kept = {name: value for name, value in environ.items() if name in _PASSED_ON}
    kept |= {name: value for name, value in environ.items() if name.upper().endswith("_PROXY")}
    return {**{name: value for name, value in go_settings.items() if value}, **kept}
