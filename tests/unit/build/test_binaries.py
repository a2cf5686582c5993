"""locate(): PATH in the pinned release, then the cache with its checksum, else nothing."""

from pathlib import Path

import pytest

from firedrill import binaries
from tests.unit.build.conftest import Bench


def answering(version: str) -> str:
    return f"#!/bin/sh\necho 'alpha, version {version} (branch: )'\n"


def test_a_built_binary_is_found_in_the_cache(bench: Bench) -> None:
    """What the builder put there is what locate() gives."""
    bench.build("alpha")
    found = binaries.locate("alphatool", environ=bench.environ(), known=bench.pins)
    assert found == bench.binary("alphatool")


def test_a_component_name_stands_for_its_first_binary(bench: Bench) -> None:
    """The collector's binary is called otelcol; callers may say collector."""
    assert binaries.wanted("otelcol") is binaries.wanted("collector")
    bench.build("beta")
    assert binaries.locate("beta", environ=bench.environ(), known=bench.pins) == bench.binary(
        "beta", "beta-v2.0.0"
    )


def test_a_binary_that_does_not_match_its_checksum_is_not_used(bench: Bench) -> None:
    """A damaged file is as good as none: it is built again."""
    bench.build("alpha")
    path = bench.binary("alpha")
    path.write_text(path.read_text() + "# changed\n")
    assert binaries.locate("alpha", environ=bench.environ(), known=bench.pins) is None
    code, events = bench.build("alpha")
    assert code == 0
    assert [event["detail"] for event in events if event["event"] == "binary"] == ["alpha"]
    assert binaries.locate("alpha", environ=bench.environ(), known=bench.pins) == path


def test_a_binary_without_its_checksum_file_is_not_used(bench: Bench) -> None:
    """The checksum is written last, so its absence means that the install was cut off."""
    bench.build("alpha")
    path = bench.binary("alpha")
    path.with_name("alpha.sha256").unlink()
    assert binaries.locate("alpha", environ=bench.environ(), known=bench.pins) is None


def test_a_changed_pin_makes_the_cached_binary_unfit(bench: Bench) -> None:
    """Other build tags make another binary, though the version is the same."""
    bench.build("alpha")
    from firedrill.build.pins import parse  # noqa: PLC0415  # next to the one use
    from tests.unit.build.conftest import PINS  # noqa: PLC0415

    changed = parse(PINS.replace("seconds: 10", "seconds: 10\n    tags: [small]"))
    slower = parse(PINS.replace("seconds: 10", "seconds: 99"))
    assert binaries.locate("alpha", environ=bench.environ(), known=changed) is None
    assert binaries.locate("alpha", environ=bench.environ(), known=slower) is not None


@pytest.mark.parametrize(
    ("version", "taken"),
    [("1.2.3", True), ("1.2.0", True), ("1.9.0", True), ("v1.2.9", True), ("1.1.9", False), ("2.2.3", False)],
)
def test_path_is_taken_when_its_release_is_the_pinned_minor_or_a_newer_one(
    bench: Bench, version: str, taken: bool
) -> None:
    """An older minor may lack a flag, another major may read other configs."""
    tool = bench.write_tool("alpha", answering(version))
    found = binaries.locate("alpha", environ=bench.environ(), known=bench.pins)
    assert (found == tool) is taken


def test_something_else_of_that_name_on_path_is_not_taken(bench: Bench) -> None:
    """A program that cannot tell a version, or fails, is not ours."""
    bench.write_tool("alpha", "#!/bin/sh\necho hello >&2; exit 2\n")
    assert binaries.locate("alpha", environ=bench.environ(), known=bench.pins) is None


def test_path_can_be_switched_off(bench: Bench) -> None:
    """FIREDRILL_USE_PATH=0 makes every machine use the built binaries."""
    bench.write_tool("alpha", answering("1.2.3"))
    environ = bench.environ(FIREDRILL_USE_PATH="0")
    assert binaries.locate("alpha", environ=environ, known=bench.pins) is None


def test_path_comes_before_the_cache_and_is_not_built_over(bench: Bench) -> None:
    """Who has the release installed does not compile it."""
    bench.write_tool("beta", "#!/bin/sh\necho beta 2.0.0\n")
    code, events = bench.build("beta")
    assert (code, [event["event"] for event in events]) == (0, ["cached"])
    assert binaries.missing(["beta", "alpha"], environ=bench.environ(), known=bench.pins) == ["alpha"]


def test_a_collector_on_path_is_never_taken(tmp_path: Path) -> None:
    """Distributions of one version hold different components, which no version tells."""
    tool = tmp_path / "otelcol"
    tool.write_text("#!/bin/sh\necho otelcol version 0.155.0\n")
    tool.chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/bin", "FIREDRILL_CACHE": str(tmp_path / "cache")}
    assert binaries.locate("otelcol", environ=environ) is None


def test_the_cache_folder_comes_from_the_environment_then_root_then_xdg_then_home() -> None:
    """Root's home is closed to the user that serves, so root has a folder that all can read."""
    from firedrill.build.settings import from_environment  # noqa: PLC0415

    def cache(as_root: bool, **environ: str) -> str:
        return str(from_environment(environ, as_root=as_root).cache)

    assert cache(True, FIREDRILL_CACHE="/x", HOME="/root") == "/x"
    assert cache(True, HOME="/root", XDG_CACHE_HOME="/c") == "/var/cache/firedrill"
    assert cache(False, HOME="/home/u", XDG_CACHE_HOME="/c") == "/c/firedrill"
    assert cache(False, HOME="/home/u") == "/home/u/.cache/firedrill"
