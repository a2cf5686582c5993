"""What the running stack offers, as one document; a document of the other runtime must be the same."""

import copy
import os
from pathlib import Path

import pytest

from firedrill.parity import Document, compare, declared, load, read, save
from firedrill.parity.document import PARTS
from tests.integration.conftest import LiveStack

ROOT = Path(__file__).parents[2]
# Written by the compose test; or PARITY_WITH names another.
OTHER = Path(os.environ.get("PARITY_WITH") or ROOT / "reports" / "parity-docker.json")


@pytest.fixture(scope="module")
def document(stack: LiveStack) -> Document:
    """After a verify, so that every service has done something."""
    stack.must("verify")
    return read(stack.view(), http=stack.http)


def test_every_part_of_the_document_is_filled(document: Document, stack: LiveStack) -> None:
    """An empty part would be the same as any other empty one."""
    assert {part for part in PARTS if not document[part]} == set()
    slices = {path.parent.name for path in ROOT.glob("services/*/app.py")} & stack.view().started
    for part in ("logs", "spans", "resources"):
        assert document[part].keys() >= slices - {"inbox"}
    assert all(one["health"] == "up" for one in document["targets"].values())


def test_a_difference_made_on_purpose_is_named(document: Document, tmp_path: Path) -> None:
    """In the real document, through its file: a label, a rule, a metric, a field of log lines."""
    save(tmp_path / "x.json", document)
    changed = copy.deepcopy(load(tmp_path / "x.json"))
    assert compare(document, changed).found == ()
    changed["targets"]["fds-service/fds"]["labels"]["service"] = "fds"
    changed["metrics"]["fds-service"]["made_up_total"] = {"type": "counter"}
    changed["logs"]["fds"]["labels"].append("filename")
    group = next(iter(changed["rules"]))
    changed["rules"][group].pop(rule := next(iter(changed["rules"][group])))
    assert {one.place for one in compare(document, changed, declared()).found} == {
        "targets/fds-service/fds/labels/service",
        "metrics/fds-service/made_up_total",
        "logs/fds/labels",
        f"rules/{group}/{rule}",
    }


@pytest.mark.skipif(
    not OTHER.exists(), reason=f"no document of docker at {OTHER}: the compose test writes it"
)
def test_docker_and_local_are_the_same(document: Document) -> None:
    """But for what firedrill/parity/declared.yml explains."""
    found = compare(load(OTHER), document, declared(), names=("docker", "local")).found
    assert [f"{one.place}: {one.what}" for one in found] == []
