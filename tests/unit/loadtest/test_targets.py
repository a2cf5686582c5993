"""The guard: load goes to this machine and this stack, nowhere else."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from loadtest.targets import RefusedTrafficError, Targets, checked_url

ROOT = Path(__file__).parents[3]


def resolves_to(*addresses: str) -> "Resolver":
    """A resolver that knows one answer."""
    return Resolver(addresses)


class Resolver:
    """Stands in for the system's name resolution."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.addresses = addresses

    def __call__(self, host: str) -> Sequence[str]:
        """The same addresses for every host."""
        return self.addresses


@pytest.mark.parametrize("url", ["http://127.0.0.1:8010", "http://localhost:1/", "http://[::1]:8010"])
def test_this_machine_is_allowed(url: str) -> None:
    """Loopback passes, without a trailing slash."""
    assert checked_url(url) == url.rstrip("/")


@pytest.mark.parametrize("addresses", [(), ("172.18.0.5",), ("127.0.0.1",), ("fd00::5",)])
def test_services_of_the_stack_are_allowed(addresses: tuple[str, ...]) -> None:
    """A service name passes in a container network, on loopback, and while its container is down."""
    assert checked_url("http://judgment:8010", resolve=resolves_to(*addresses)) == "http://judgment:8010"


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://example.com", ("93.184.216.34",)),
        ("http://intranet:80", ("10.0.0.5",)),
        ("http://judgment:8010", ("93.184.216.34",)),
        ("http://judgment:8010", ("169.254.169.254",)),
        ("http://fds:8001", ("127.0.0.1", "8.8.8.8")),
        ("http://nowhere", ()),
        ("http://0.0.0.0:8010", ("0.0.0.0",)),
        ("https://127.0.0.1", ("127.0.0.1",)),
        ("http://user:secret@127.0.0.1", ("127.0.0.1",)),
        ("http://127.0.0.1/?to=x", ("127.0.0.1",)),
        ("127.0.0.1:8010", ("127.0.0.1",)),
        ("http://", ("127.0.0.1",)),
        ("http://[::1", ("127.0.0.1",)),
        ("", ("127.0.0.1",)),
    ],
)
def test_everything_else_is_refused(url: str, addresses: tuple[str, ...]) -> None:
    """A foreign host, a service name that leads outside, or a URL that hides something is refused."""
    with pytest.raises(RefusedTrafficError, match=r"127\.0\.0\.1") as refusal:
        checked_url(url, resolve=resolves_to(*addresses))
    assert "secret" not in str(refusal.value)


def test_targets_of_the_environment() -> None:
    """Unset URLs mean this machine's published ports."""
    targets = Targets.from_environment({"FDS_URL": "http://127.0.0.1:9"})
    assert targets == Targets(judgment="http://127.0.0.1:8010", fds="http://127.0.0.1:9")


def run(*command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of this interpreter in the project's root."""
    return subprocess.run(
        [sys.executable, "-m", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_locust_refuses_a_foreign_host_before_it_sends() -> None:
    """The background traffic exits with 2 and a reason in three lines."""
    locust = ("locust", "-f", "loadtest/background.py", "--headless", "-u", "1", "--loglevel", "WARNING")
    done = run(*locust, "--run-time", "2s", JUDGMENT_URL="http://192.0.2.1:80")
    assert done.returncode == 2
    assert "192.0.2.1, which is not this machine" in done.stderr
    many = run(*locust, "-u", "500", "--run-time", "2s")
    assert many.returncode == 2
    assert "at most 50" in many.stderr


def test_locust_ends_well_though_nothing_answers() -> None:
    """With both services down it stops at its time with exit code 0 and one line that counts failures."""
    done = run(
        *("locust", "-f", "loadtest/background.py", "--headless", "-u", "4", "-r", "4", "--run-time", "3s"),
        *("--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0"),
        JUDGMENT_URL="http://127.0.0.1:9",
        FDS_URL="http://127.0.0.1:9",
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["requests"] == summary["failures"] > 0
    assert "Traceback" not in done.stderr


def test_drill_command_refuses_with_exit_code_2() -> None:
    """A foreign host, a rate or a time beyond the bounds: a reason and 2, and nothing is sent."""
    base = ("loadtest.drill", "--target", "fds", "--rate", "5", "--seconds", "1")
    for extra, reason in (
        (("--url", "http://192.0.2.1"), "not this machine"),
        (("--rate", "1000"), "at most 200"),
        (("--rate", "0"), "more than 0"),
        (("--seconds", "99999"), "at most 3600"),
        (("--rate", "nan"), "out of bounds"),
    ):
        done = run(*base, *extra)
        assert done.returncode == 2
        assert reason in done.stderr
