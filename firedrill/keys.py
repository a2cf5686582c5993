"""Notification keys: from settings to the files that Alertmanager reads, and addresses to its configuration.

Without a key a receiver keeps what the checkout says, which is the inbox.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from urllib.parse import urlsplit

import yaml

from firedrill.errors import UsageError
from firedrill.settings import Settings

# Where the files stand, in the project and in Alertmanager's container.
FOLDER, CONFIG = "delivery", "alertmanager.yml"
KEY_MODE = 0o400
_SLACK, _PAGERDUTY = "SLACK_WEBHOOK_URL", "PAGERDUTY_ROUTING_KEY"
# file -> the setting that fills it. A Slack webhook belongs to one channel, a PagerDuty key to one service.
FILES: Mapping[str, str] = {
    "slack-factory-ai-warnings.txt": "SLACK_WEBHOOK_URL_FACTORY_AI_WARNINGS",
    "slack-factory-ai-alerts.txt": "SLACK_WEBHOOK_URL_FACTORY_AI_ALERTS",
    "slack-shopfds-alerts.txt": "SLACK_WEBHOOK_URL_SHOPFDS_ALERTS",
    "slack-artisan-alerts.txt": "SLACK_WEBHOOK_URL_ARTISAN_ALERTS",
    "slack-alerts-critical.txt": "SLACK_WEBHOOK_URL_ALERTS_CRITICAL",
    "slack-alerts-warning.txt": "SLACK_WEBHOOK_URL_ALERTS_WARNING",
    "slack-kerp-alerts-critical.txt": "SLACK_WEBHOOK_URL_KERP_ALERTS_CRITICAL",
    "slack-kerp-alerts.txt": "SLACK_WEBHOOK_URL_KERP_ALERTS",
    "slack-platform.txt": "SLACK_WEBHOOK_URL_PLATFORM",
    "pagerduty-ai-factory.txt": "PAGERDUTY_ROUTING_KEY_AI_FACTORY",
    "pagerduty-shopfds.txt": "PAGERDUTY_ROUTING_KEY_SHOPFDS",
    "pagerduty-artisan.txt": "PAGERDUTY_ROUTING_KEY_ARTISAN",
    "pagerduty-platform.txt": "PAGERDUTY_ROUTING_KEY_PLATFORM",
    "webhook-aegis-other.txt": "WEBHOOK_URL_AEGIS_OTHER",
    "smtp-password.txt": "SMTP_PASSWORD",
}
# What fills every file of its kind that has no key of its own.
_FOR_ALL = (_SLACK, _PAGERDUTY)
SECRETS = frozenset({*FILES.values(), *_FOR_ALL})
_BARE = {"true", "false"}
_URLS = (_SLACK, "WEBHOOK_URL", "PAGERDUTY_URL")
# A setting that is of no use without others.
_TOGETHER = {
    "SMTP_SMARTHOST": ("SMTP_FROM", "SMTP_TO"),
    "SMTP_PASSWORD": ("SMTP_SMARTHOST", "SMTP_USER"),
    "SMTP_USER": ("SMTP_SMARTHOST", "SMTP_PASSWORD"),
}  # fmt: skip


@dataclass(frozen=True)
class Keys:
    """What .env says of notifications: the content of files, and values for Alertmanager's configuration."""

    files: Mapping[str, str]
    pagerduty_url: str
    mail: Mapping[str, str]

    @classmethod
    def of(cls, settings: Settings) -> "Keys":
        """From settings. Raises UsageError, which shows no value, for one that cannot be used."""
        for name in _names():
            _check(name, settings.get(name))
        for name, others in _TOGETHER.items():
            lacking = [other for other in others if settings.get(name) and not settings.get(other)]
            if lacking:
                raise _unusable(name, f"it needs {' and '.join(lacking)}")
        files = {file: key for file, name in FILES.items() if (key := _key(settings, name))}
        mail = {
            "smtp_smarthost": settings.get("SMTP_SMARTHOST"),
            "smtp_from": settings.get("SMTP_FROM"),
            "smtp_require_tls": "false" if settings.get("SMTP_TLS") == "off" else "true",
            "smtp_auth_username": settings.get("SMTP_USER"),
            "to": settings.get("SMTP_TO"),
        }
        url = settings.get("PAGERDUTY_URL", "https://events.pagerduty.com/v2/enqueue")
        return cls(files, url, mail if mail["smtp_smarthost"] else {})

    def content(self, file: PurePath) -> bytes | None:
        """What stands in a file of the folder `delivery` instead of the checkout's, or None."""
        key = self.files.get(file.name) if file.parent.name == FOLDER else None
        return None if key is None else f"{key}\n".encode()

    def configuration(self, text: str) -> str:
        """alertmanager.yml with the addresses for which Alertmanager reads no file."""
        edits = sorted(self._edits(yaml.compose(text, Loader=yaml.SafeLoader)), key=lambda one: one[0])
        parts, at = [], 0
        for start, end, value in edits:
            parts += [text[at:start], "'" + value.replace("'", "''") + "'" if value not in _BARE else value]
            at = end
        return "".join([*parts, text[at:]])

    def _edits(self, root: yaml.Node | None) -> Iterator[tuple[int, int, str]]:
        for key, value in _items(_child(root, "global")):
            if key in self.mail:
                yield _replacing(value, self.mail[key])
        for receiver in _entries(_child(root, "receivers")):
            for one in _entries(_child(receiver, "email_configs")):
                if self.mail and (to := _child(one, "to")) is not None:
                    yield _replacing(to, self.mail["to"])
            for one in _entries(_child(receiver, "pagerduty_configs")):
                key_file, url = _child(one, "routing_key_file"), _child(one, "url")
                if key_file is None or url is None:
                    continue
                if PurePath(str(key_file.value)).name in self.files:
                    yield _replacing(url, self.pagerduty_url)


def _names() -> tuple[str, ...]:
    return (
        *FILES.values(),
        *_FOR_ALL,
        "PAGERDUTY_URL",
        "SMTP_SMARTHOST",
        "SMTP_FROM",
        "SMTP_TO",
        "SMTP_USER",
    )


def _key(settings: Settings, name: str) -> str:
    general = next((one for one in _FOR_ALL if name.startswith(one)), "")
    return settings.get(name) or (settings.get(general) if general else "")


def _check(name: str, value: str) -> None:
    if not value:
        return
    if any(ord(char) < 32 for char in value):
        raise _unusable(name, "it must be one line of text")
    if name.startswith(_URLS):
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or " " in value:
            raise _unusable(name, "it must be an address that begins with https://")
    elif name.startswith(_PAGERDUTY) and not re.fullmatch(r"[A-Za-z0-9]{32}", value):
        raise _unusable(name, "PagerDuty's integration keys (Events API v2) have 32 letters and digits")
    elif name == "SMTP_SMARTHOST" and not re.fullmatch(r"[\w.\[\]:-]+:\d{1,5}", value):
        raise _unusable(name, "it must be host:port")
    elif name in {"SMTP_FROM", "SMTP_TO"} and "@" not in value:
        raise _unusable(name, "it must be a mail address")


def _unusable(name: str, why: str) -> UsageError:
    return UsageError(f"the setting {name} cannot be used", why, f"correct {name} in .env or the shell")


def _child(node: yaml.Node | None, name: str) -> yaml.Node | None:
    return next((value for key, value in _items(node) if key == name), None)


def _items(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield str(key.value), value


def _entries(node: yaml.Node | None) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value


def _replacing(node: yaml.Node, value: str) -> tuple[int, int, str]:
    return node.start_mark.index, node.end_mark.index, value
