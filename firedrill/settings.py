"""Settings: .env.example says which exist, .env and the process environment say their values."""

import difflib
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from firedrill.errors import FiredrillError, UsageError

EXAMPLE, FILE = ".env.example", ".env"
_LINE = re.compile(r"^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)$")
_CHOICES = {
    "RUNTIME": ("", "docker", "local"),
    "PACE": ("demo", "production"),
    "TRACES": ("jaeger", "all"),
    "LOGS": ("promtail", "collector"),
    "TRAFFIC": ("on", "off"),
    "ENVIRONMENT": ("development", "production"),
    "FAULTS_ENABLED": ("0", "1"),
    "TELEMETRY_MASKING": ("on", "off"),
    "SMTP_TLS": ("on", "off"),
    "LOG_LEVEL": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
}


@dataclass(frozen=True)
class Setting:
    """One line of .env.example; `generated` means that its value is made at random on the first run."""

    name: str
    default: str
    generated: bool = False


@dataclass(frozen=True)
class Settings:
    """All settings with their values; `warnings` names lines of .env that nobody reads."""

    values: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def get(self, name: str, default: str = "") -> str:
        """The value, or `default` when it is empty or not known."""
        return self.values.get(name) or default

    @property
    def pace(self) -> str:
        """demo or production."""
        return self.get("PACE", "demo")

    @property
    def runtime(self) -> str:
        """docker, local, or empty: to be found out."""
        return self.get("RUNTIME")

    @property
    def port_offset(self) -> int:
        """What the local runtime adds to each port."""
        return int(self.get("PORT_OFFSET", "0"))


def read_settings(project: Path, environ: Mapping[str, str], *, create: bool = False) -> Settings:
    """The settings of `project`; with `create`, .env is made or completed with random secrets (mode 0600).

    The process environment wins over .env, .env over .env.example. Raises UsageError for a value that
    cannot be used, FiredrillError when a file cannot be read.
    """
    known = _example(project / EXAMPLE)
    path = project / FILE
    if create:
        _complete(path, project / EXAMPLE, known)
    own = _pairs(_text(path)) if path.exists() else {}
    values = {name: setting.default for name, setting in known.items()}
    values.update({name: value for name, value in own.items() if name in known})
    values.update({name: environ[name] for name in known if name in environ})
    for name, value in values.items():
        _check(name, value)
    return Settings(values, tuple(_unknown(name, known) for name in own if name not in known))


def is_secret(name: str) -> bool:
    """True for a setting whose value must not be shown."""
    # Whoever has a webhook's address may post to it.
    keys = ("SLACK_WEBHOOK_URL", "WEBHOOK_URL", "PAGERDUTY_ROUTING_KEY")
    return name.startswith(keys) or name.endswith(("TOKEN", "PASSWORD", "KEY", "SECRET", "DSN"))


def _example(path: Path) -> dict[str, Setting]:
    found: dict[str, Setting] = {}
    comment = ""
    for line in _text(path).splitlines():
        text = line.strip()
        match = _LINE.match(text)
        if match:
            value, own_comment = _value(match[2])
            marks = f"{comment} {own_comment}"
            found[match[1]] = Setting(match[1], value, not value and "generated" in marks.split())
            comment = ""
        elif text.startswith("#"):
            comment = text.lstrip("# ")
        else:
            comment = ""
    return found


def _complete(path: Path, example: Path, known: Mapping[str, Setting]) -> None:
    """Make .env from .env.example, or add secrets that it lacks; nothing that a user wrote is changed."""
    if not path.exists():
        lines = []
        for line in _text(example).splitlines():
            match = _LINE.match(line.strip())
            setting = known.get(match[1]) if match else None
            lines.append(f"{setting.name}={_secret()}" if setting and setting.generated else line)
        _write(path, "\n".join(lines) + "\n")
        return
    own = _pairs(_text(path))
    missing = [setting.name for setting in known.values() if setting.generated and not own.get(setting.name)]
    if missing:
        added = "".join(f"{name}={_secret()}\n" for name in missing)
        _write(path, _text(path).rstrip("\n") + "\n" + added)


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.touch(mode=0o600)
    part.write_text(text, encoding="utf-8")
    if path.exists():
        part.chmod(path.stat().st_mode & 0o777)
    if os.geteuid() == 0:
        # Started with sudo, the file must still be the checkout's owner's.
        owner = path.parent.stat()
        os.chown(part, owner.st_uid, owner.st_gid)
    part.replace(path)


def _secret() -> str:
    # Hexadecimal, because it stands in URLs.
    return secrets.token_hex(16)


def _pairs(text: str) -> dict[str, str]:
    matches = (_LINE.match(line.strip()) for line in text.splitlines())
    return {match[1]: _value(match[2])[0] for match in matches if match}


def _value(text: str) -> tuple[str, str]:
    """A value and the comment after it."""
    quote = text[:1]
    if quote in {"'", '"'} and (end := text.find(quote, 1)) > 0:
        return text[1:end], text[end + 1 :].strip().lstrip("# ")
    value, _, comment = f" {text}".partition(" #")
    return value.strip(), comment.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FiredrillError(
            f"{path} cannot be read", str(error), "restore it: git checkout .env.example; .env may be deleted"
        ) from None


def _unknown(name: str, known: Mapping[str, Setting]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f".env: {name} is not a setting and is ignored" + (f"; did you mean {near[0]}?" if near else "")


def _check(name: str, value: str) -> None:
    problem = ""
    if name in _CHOICES and value not in _CHOICES[name]:
        problem = f"it must be {' or '.join(choice or 'empty' for choice in _CHOICES[name])}"
    elif name == "PORT_OFFSET":
        problem = "" if value.isdigit() and int(value) < 50000 else "it must be a number from 0 to 49999"
    elif name.endswith("_PORT"):
        fits = value.isdigit() and 1 <= int(value) <= 65535
        problem = "" if fits else "it must be a port number, 1 to 65535"
    elif name == "TRACE_SAMPLE_RATE":
        problem = "" if _is_share(value) else "it must be a number from 0 to 1"
    elif name in {"SEED", "TRAFFIC_USERS"}:
        problem = "" if value.isdigit() else "it must be a whole number"
    if problem:
        raise UsageError(
            f"the setting {name}={value!r} cannot be used", problem, f"correct {name} in .env or the shell"
        )


def _is_share(value: str) -> bool:
    try:
        return 0.0 <= float(value) <= 1.0
    except ValueError:
        return False
