"""Names, binds and paths of containers on loopback."""

import pytest

from firedrill.local.addresses import Addresses, UnknownPeerPortError

ADDRESSES = Addresses(
    own={3100: 13100, 9095: 19095},
    peers={("loki", 3100): 13100, ("postgres", 5432): 15432, ("node-exporter", 9100): 19100},
    paths={"/etc/loki": "/state/loki", "/etc/loki/rules": "/state/rules", "/tmp": "/state/tmp", "/host": "/"},
    offset=10000,
)


@pytest.mark.parametrize(
    ("text", "here"),
    [
        ("http://loki:3100/ready", "http://127.0.0.1:13100/ready"),
        (
            "postgresql+asyncpg://u:secret@postgres:5432/db",
            "postgresql+asyncpg://u:secret@127.0.0.1:15432/db",
        ),
        ("node-exporter:9100", "127.0.0.1:19100"),
        ("my-loki:3100 and loki.example:3100", "my-loki:3100 and loki.example:3100"),
        ("loki:9999 is no address of ours", "loki:9999 is no address of ours"),
        ("0.0.0.0:3100", "127.0.0.1:13100"),
        ("[::]:3100", "127.0.0.1:13100"),
        ("127.0.0.1:9095", "127.0.0.1:19095"),
        ("127.0.0.1:16685", "127.0.0.1:26685"),
        ("localhost:3100", "127.0.0.1:13100"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "127.0.0.1"),
        ("10.0.0.0/8 0.0.0.0/0", "10.0.0.0/8 0.0.0.0/0"),
        (":3100", "127.0.0.1:13100"),
        (":7777", ":7777"),
        ("/etc/loki/loki.yml", "/state/loki/loki.yml"),
        ("/etc/loki/rules/*.yml", "/state/rules/*.yml"),
        ("/etc/lokiness", "/etc/lokiness"),
        ("/var/tmp/x", "/var/tmp/x"),
        ("/host/proc", "/proc"),
        ("/host", "/"),
    ],
)
def test_values(text: str, here: str) -> None:
    """Addresses of peers and of its own, known paths, and nothing else."""
    assert ADDRESSES.value(text) == here


def test_a_url_to_a_port_that_a_peer_does_not_have_is_an_error() -> None:
    """It would connect to nothing, or to somebody else's process."""
    with pytest.raises(UnknownPeerPortError, match="loki:3101"):
        ADDRESSES.text("http://loki:3101/")
    with pytest.raises(UnknownPeerPortError, match="postgres:1"):
        ADDRESSES.text("postgresql://u:p@postgres:1/db")


def test_arguments() -> None:
    """Flags with `=`, a port after its flag, and numbers that are no ports."""
    words = [
        "--listen=:3100",
        "--host",
        "0.0.0.0",
        "--port",
        "3100",
        "--users",
        "3100",
        "-p",
        "9095",
        "--save",
        "",
    ]
    assert ADDRESSES.arguments(words) == (
        "--listen=127.0.0.1:13100", "--host", "127.0.0.1", "--port", "13100", "--users", "3100",
        "-p", "19095", "--save", "",
    )  # fmt: skip


def test_an_empty_flag_stays_empty() -> None:
    """`--cluster.listen-address=` turns a listener off and must not become an address."""
    assert ADDRESSES.arguments(["--cluster.listen-address="]) == ("--cluster.listen-address=",)


def test_environment_and_numbers() -> None:
    """NAME_PORT is a port; a number elsewhere is not."""
    given = {"HTTP_PORT": "3100", "SEED": "3100", "URL": "http://loki:3100"}
    assert ADDRESSES.environment(given) == {
        "HTTP_PORT": "13100",
        "SEED": "3100",
        "URL": "http://127.0.0.1:13100",
    }
    assert ADDRESSES.number("http_listen_port", 3100) == 13100
    assert ADDRESSES.number("grpc_listen_port", 0) == 0
    assert ADDRESSES.number("bind_port", 7947) == 17947
    assert ADDRESSES.number("limit", 3100) == 3100
    assert ADDRESSES.number("port", 5432, host="postgres") == 15432
