"""Notification keys: from .env to the files and addresses that Alertmanager reads, and nowhere else."""

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill.copies import paced_copies
from firedrill.docker import key_files
from firedrill.errors import UsageError
from firedrill.keys import FILES, KEY_MODE, SECRETS, Keys
from firedrill.local.configs import File
from firedrill.local.layout import Layout
from firedrill.local.plan import make_plan
from firedrill.local.programs import pacer
from firedrill.settings import Settings, is_secret

PROJECT = Path(__file__).parents[3]
HOOK = "https://hooks.slack.com/services/T000/B000/secret"
KEY = "0123456789abcdef0123456789abcdef"
CONFIG = (PROJECT / "config/alertmanager/alertmanager.yml").read_text("utf-8")


def keys(**values: str) -> Keys:
    """The keys of these settings."""
    return Keys.of(Settings(values))


def local_files(folder: Path, **values: str) -> dict[str, File]:
    """What the local runtime writes for Alertmanager, by name."""
    settings = Settings({"PACE": "demo", "PORT_OFFSET": "100", **values})
    layout = Layout(folder)
    plan = make_plan(PROJECT, settings, layout, pace=pacer("demo"), find=lambda name: None)
    own = layout.config_of("alertmanager")
    return {file.target.name: file for file in plan.files() if file.target.is_relative_to(own)}


def receivers(text: str) -> dict[str, Any]:
    """The receivers of a configuration by name."""
    return {one["name"]: one for one in yaml.safe_load(text)["receivers"]}


def test_every_file_of_the_checkout_has_its_setting() -> None:
    """And every file that the configuration reads is there."""
    there = {path.name for path in (PROJECT / "config/delivery").iterdir()}
    read = {word.rsplit("/", 1)[1] for word in CONFIG.split() if word.startswith("/etc/delivery/")}
    assert there == read == set(FILES)


def test_without_keys_nothing_changes() -> None:
    """Everything leads to the inbox, as the checkout says."""
    assert keys().configuration(CONFIG) == CONFIG
    assert not keys().files
    for path in (PROJECT / "config/delivery").glob("*-*.txt"):
        if not path.name.startswith(("pagerduty", "smtp")):
            assert path.read_text("utf-8").startswith("http://inbox:8090/")


def test_a_key_of_a_channel_changes_this_channel_alone(tmp_path: Path) -> None:
    """The file holds it, with mode 0400; its neighbours lead to the inbox's port of this stack."""
    files = local_files(tmp_path, SLACK_WEBHOOK_URL_SHOPFDS_ALERTS=HOOK)
    file = files["slack-shopfds-alerts.txt"]
    assert (file.content.decode().strip(), file.mode) == (HOOK, KEY_MODE)
    assert files["slack-platform.txt"].content == b"http://127.0.0.1:8190/slack\n"
    assert files["slack-platform.txt"].mode is None
    file.write()
    assert stat.S_IMODE(file.target.stat().st_mode) == 0o400
    file.write()  # a second `up` finds it there
    assert file.target.read_text() == f"{HOOK}\n"


def test_one_key_for_all_leaves_those_with_their_own(tmp_path: Path) -> None:
    """SLACK_WEBHOOK_URL fills every channel but the one that has its own."""
    own = HOOK + "-platform"
    found = keys(SLACK_WEBHOOK_URL=HOOK, SLACK_WEBHOOK_URL_PLATFORM=own).files
    assert found.pop("slack-platform.txt") == own
    assert found == {
        name: HOOK for name in FILES if name.startswith("slack-") and name != "slack-platform.txt"
    }


def test_a_key_of_pagerduty_brings_its_address() -> None:
    """Of this system only; the address is PagerDuty's, or the one given."""
    found = receivers(keys(PAGERDUTY_ROUTING_KEY_SHOPFDS=KEY).configuration(CONFIG))
    (shop,), (factory,) = (
        found[name]["pagerduty_configs"] for name in ("shopfds-critical", "ai-factory-critical")
    )
    assert shop["url"] == "https://events.pagerduty.com/v2/enqueue"
    assert factory["url"] == "http://inbox:8090/v2/enqueue"
    other = "https://events.eu.pagerduty.com/v2/enqueue"
    found = receivers(keys(PAGERDUTY_ROUTING_KEY=KEY, PAGERDUTY_URL=other).configuration(CONFIG))
    urls = {one["url"] for each in found.values() for one in each.get("pagerduty_configs", ())}
    assert urls == {other}


def test_a_local_address_of_a_user_is_not_moved(tmp_path: Path) -> None:
    """The port offset is for the stack's own addresses; the keys themselves are in no configuration."""
    values = {"PAGERDUTY_ROUTING_KEY": KEY, "PAGERDUTY_URL": "http://127.0.0.1:8090/v2/enqueue"}
    text = local_files(tmp_path, **values)["alertmanager.yml"].content.decode()
    urls = {one["url"] for each in receivers(text).values() for one in each.get("pagerduty_configs", ())}
    assert urls == {"http://127.0.0.1:8090/v2/enqueue"}
    assert KEY not in text


def test_a_mail_server() -> None:
    """Host, sender, recipient, account and TLS stand in the configuration, the password in its file."""
    values = {
        "SMTP_SMARTHOST": "mail.example.com:587", "SMTP_FROM": "alerts@example.com",
        "SMTP_TO": "o'ps@example.com", "SMTP_USER": "me", "SMTP_PASSWORD": "it's # secret",
    }  # fmt: skip
    text = keys(**values).configuration(CONFIG)
    told = yaml.safe_load(text)["global"]
    assert told["smtp_smarthost"] == "mail.example.com:587"
    assert (told["smtp_from"], told["smtp_auth_username"]) == ("alerts@example.com", "me")
    assert told["smtp_require_tls"] is True
    assert receivers(text)["aegis-critical"]["email_configs"][0]["to"] == "o'ps@example.com"
    assert "secret" not in text
    assert keys(**values).files == {"smtp-password.txt": "it's # secret"}
    assert (
        yaml.safe_load(keys(**values, SMTP_TLS="off").configuration(CONFIG))["global"]["smtp_require_tls"]
        is False
    )


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"SLACK_WEBHOOK_URL_PLATFORM": "hooks.slack.com/s3cret"}, "SLACK_WEBHOOK_URL_PLATFORM"),
        ({"SLACK_WEBHOOK_URL": "file:///s3cret"}, "SLACK_WEBHOOK_URL"),
        ({"WEBHOOK_URL_AEGIS_OTHER": "https:// s3cret"}, "WEBHOOK_URL_AEGIS_OTHER"),
        ({"PAGERDUTY_ROUTING_KEY_SHOPFDS": "s3cret"}, "32 letters"),
        ({"PAGERDUTY_URL": "s3cret"}, "https://"),
        ({"SMTP_SMARTHOST": "s3cret"}, "host:port"),
        ({"SMTP_SMARTHOST": "mail:25"}, "SMTP_FROM and SMTP_TO"),
        ({"SMTP_SMARTHOST": "mail:25", "SMTP_FROM": "s3cret", "SMTP_TO": "a@b"}, "SMTP_FROM"),
        ({"SMTP_PASSWORD": "s3cret"}, "SMTP_SMARTHOST and SMTP_USER"),
        ({"SMTP_PASSWORD": "s3cret\nx"}, "one line"),
    ],
)
def test_what_cannot_be_a_key_is_refused_without_showing_it(values: dict[str, str], said: str) -> None:
    """The setting and the reason are named; the value is not."""
    with pytest.raises(UsageError) as caught:
        keys(**values)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_keys_are_secrets() -> None:
    """No message shows their values."""
    assert all(is_secret(name) for name in SECRETS)
    assert not is_secret("PAGERDUTY_URL")


def test_docker_gets_a_folder_of_keys(tmp_path: Path) -> None:
    """Keys with mode 0400, the other files readable for the container's user; nothing without keys."""
    folder = tmp_path / "delivery"
    settings = Settings({"PACE": "demo", "PAGERDUTY_ROUTING_KEY_SHOPFDS": KEY})
    given: list[Path] = []
    for _ in range(2):
        made = key_files(PROJECT, settings, folder, give=lambda image, files: given.extend(files))
        assert made == {"DELIVERY_DIR": str(folder)}
    assert {path.name for path in folder.iterdir()} == set(FILES)
    assert given == [folder / "pagerduty-shopfds.txt"] * 2
    assert stat.S_IMODE(given[0].stat().st_mode) == 0o400
    assert (folder / "slack-platform.txt").stat().st_mode & 0o044 == 0o044
    paced_copies(PROJECT, settings, tmp_path)
    copies = [path for path in (tmp_path / "config").rglob("*") if path.is_file()]
    assert not [path for path in copies if KEY.encode() in path.read_bytes()]
    text = (tmp_path / "config/alertmanager/alertmanager.yml").read_text()
    assert text.count("https://events.pagerduty.com/v2/enqueue") == 1
    none = Settings({"PACE": "demo"})
    assert key_files(PROJECT, none, folder, give=lambda image, files: given.extend(files)) == {}
    assert not folder.exists()
