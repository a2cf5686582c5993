"""Installing with apt without letting Debian start servers."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from firedrill.local.packages import install
from firedrill.local.system import PACKAGES


def test_servers_are_forbidden_to_start_only_while_apt_runs(tmp_path: Path) -> None:
    """A policy of the machine itself comes back as it was; a commented setting is set meanwhile."""
    policy, cluster = tmp_path / "policy-rc.d", tmp_path / "createcluster.conf"
    policy.write_text("its own")
    policy.chmod(0o750)
    cluster.write_text("# create_main_cluster = true\nport = 1\n")
    seen: list[tuple[str, str, str]] = []

    def apt(words: Sequence[str]) -> None:
        seen.append((words[-1], policy.read_text(), cluster.read_text()))

    say: list[str] = []
    install(list(PACKAGES.values()), say.append, apt=apt, policy=policy, create_cluster=cluster)
    assert [(last, "101" in text) for last, text, _ in seen] == [
        ("-qq", True),
        ("postgresql-common", True),
        ("redis-server", True),
    ]
    assert seen[2][2] == "create_main_cluster = false\nport = 1\n"
    assert (policy.read_text(), policy.stat().st_mode & 0o777) == ("its own", 0o750)
    assert cluster.read_text() == "# create_main_cluster = true\nport = 1\n"
    assert say == ["installing PostgreSQL and Redis with apt"]


def test_everything_is_put_back_when_apt_fails(tmp_path: Path) -> None:
    """A policy that was not there is gone again."""
    policy = tmp_path / "policy-rc.d"

    def apt(words: Sequence[str]) -> None:
        raise OSError("no network")

    with pytest.raises(OSError, match="no network"):
        install([PACKAGES["redis"]], print, apt=apt, policy=policy, create_cluster=tmp_path / "c")
    assert list(tmp_path.iterdir()) == []
