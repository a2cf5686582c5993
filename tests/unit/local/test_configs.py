"""Config files as the local runtime writes them."""

from pathlib import Path

import pytest

from firedrill.errors import TopologyError
from firedrill.local.addresses import Addresses
from firedrill.local.configs import render, rewrite_yaml

ADDRESSES = Addresses(
    own={9090: 19090},
    peers={("web", 80): 10080, ("prometheus", 9090): 19090},
    paths={"/data": "/state/data"},
    offset=10000,
)
ALL = frozenset({"web", "prometheus"})


def same_pace(path: Path, text: str) -> str:
    return text


def rewritten(text: str) -> str:
    return rewrite_yaml(Path("x.yml"), text, ADDRESSES)


def test_only_what_must_change_changes() -> None:
    """Comments, order, quotes and odd spacing stay: the text is edited and not written anew."""
    text = (
        "# web:80 in a comment stays\n"
        "listen:   '0.0.0.0:9090'   # here\n"
        "http_listen_port: 9090\n"
        "limit: 9090\n"
        'url: "http://web:80/x"\n'
        "dirs: {a: /data/a, b: [/data, other]}\n"
        "on: yes\n"
        "text: |\n  see http://web:80\n  and /data/x\n"
    )
    assert rewritten(text) == (
        "# web:80 in a comment stays\n"
        "listen:   '127.0.0.1:19090'   # here\n"
        "http_listen_port: 19090\n"
        "limit: 9090\n"
        'url: "http://127.0.0.1:10080/x"\n'
        "dirs: {a: /state/data/a, b: [/state/data, other]}\n"
        "on: yes\n"
        "text: |\n  see http://127.0.0.1:10080\n  and /state/data/x\n"
    )


def test_labels_are_names_and_stay_but_their_paths_do_not() -> None:
    """`instance: web:80` is what queries and people see; Promtail's __path__ is a file."""
    text = "- targets: ['web:80']\n  labels: {instance: 'web:80', __path__: /data/*.log}\n"
    assert (
        rewritten(text)
        == "- targets: ['127.0.0.1:10080']\n  labels: {instance: 'web:80', __path__: /state/data/*.log}\n"
    )


def test_a_host_and_a_port_apart_belong_together() -> None:
    """The port of a peer, even when it is not one of our own."""
    assert rewritten("host: web\nport: 80\n") == "host: 127.0.0.1\nport: 10080\n"


def test_anchors_and_several_documents() -> None:
    """An alias is edited where it is defined, once."""
    assert rewritten("a: &x {u: 'web:80'}\nb: *x\n---\nc: web:80\n") == (
        "a: &x {u: '127.0.0.1:10080'}\nb: *x\n---\nc: 127.0.0.1:10080\n"
    )


def test_a_folder_is_copied_without_code_and_without_targets_that_do_not_run(tmp_path: Path) -> None:
    """A service that is not started is not a target."""
    source = tmp_path / "config"
    (source / "targets").mkdir(parents=True)
    (source / "__pycache__").mkdir()
    for name in ("targets/web.yml", "targets/tempo.yml", "code.py", "__pycache__/x.yml", "note.md"):
        (source / name).write_text("web:80\n")
    files = {
        str(file.target): file.content
        for file in render(source, Path("/out"), ADDRESSES, pace=same_pace, started=ALL)
    }
    assert files == {"/out/targets/web.yml": b"127.0.0.1:10080\n", "/out/note.md": b"web:80\n"}


def test_the_pace_is_applied_before_and_not_to_target_files(tmp_path: Path) -> None:
    """targets/prometheus.yml has the name of a config and is none."""
    (tmp_path / "targets").mkdir()
    (tmp_path / "prometheus.yml").write_text("a: web:80\n")
    (tmp_path / "targets" / "prometheus.yml").write_text("a: 1\n")
    files = {
        file.target.as_posix(): file.content
        for file in render(
            tmp_path, Path("/o"), ADDRESSES, pace=lambda path, text: text + "b: /data\n", started=ALL
        )
    }
    assert files == {
        "/o/prometheus.yml": b"a: 127.0.0.1:10080\nb: /state/data\n",
        "/o/targets/prometheus.yml": b"a: 1\n",
    }


@pytest.mark.parametrize(
    ("text", "says"), [("a: [1\n", "this is not YAML"), ("a: http://web:81/\n", "leads nowhere")]
)
def test_a_config_that_cannot_be_used_is_named(tmp_path: Path, text: str, says: str) -> None:
    """With its path and what to do, before anything starts."""
    path = tmp_path / "loki.yml"
    path.write_text(text)
    with pytest.raises(TopologyError, match=says) as caught:
        list(render(path, Path("/o/loki.yml"), ADDRESSES, pace=same_pace, started=ALL))
    assert str(path) in str(caught.value)
