"""A whole run with a fake go command: what is built, what is told, and what each failure says."""

import hashlib
import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from firedrill.build import main
from firedrill.build.builder import Progress
from firedrill.build.events import Event, human_lines
from firedrill.build.pins import parse
from firedrill.build.sources import replaced_by_required
from firedrill.errors import BuildError, EnvironmentProblem, UsageError
from tests.unit.build.conftest import PINS, Bench


def kinds(events: list[dict[str, object]]) -> list[str]:
    return [f"{event['component']}:{event['event']}" for event in events if event["event"] != "phase"]


def failure(bench: Bench, behaviour: str, **more: str) -> dict[str, object]:
    """The failed event of the first component under one behaviour of the fake go."""
    code, events = bench.build("alpha", environ=bench.environ(behaviour, **more))
    assert code == 1
    (event,) = [event for event in events if event["event"] == "failed"]
    return event


def test_a_run_builds_each_component_in_order_and_tells_each_step(bench: Bench) -> None:
    """The supervisor starts a component on `done`, and may start a server on its `binary`."""
    code, events = bench.build()
    assert code == 0
    assert kinds(events) == [
        "alpha:start", "alpha:binary", "alpha:binary", "alpha:done", "beta:start", "beta:binary", "beta:done",
    ]  # fmt: skip
    phases = [
        event["phase"] for event in events if event["event"] == "phase" and event["component"] == "alpha"
    ]
    assert phases[:1] == ["download"]
    assert phases[-2:] == ["compile", "link"]
    assert all(event["expected_seconds"] in {10, 5} for event in events)


def test_a_built_binary_lies_in_the_cache_beside_its_checksum(bench: Bench) -> None:
    """`sha256sum -c` can check the cache too."""
    bench.build("alpha")
    path = bench.binary("alpha")
    noted = path.with_name("alpha.sha256").read_text().split()
    assert noted[0] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert noted[1] == "alpha"
    assert path.stat().st_mode & 0o777 == 0o755
    assert not (bench.cache / "work").exists()


def test_what_is_cached_is_not_built_again(bench: Bench) -> None:
    """A second run does not even ask go for its version."""
    bench.build("alpha")
    before = bench.calls
    code, events = bench.build("alphatool", "alpha")
    assert (code, kinds(events)) == (0, ["alpha:cached"])
    assert bench.calls == before


def test_the_version_is_written_into_the_binary_and_symbols_are_left_out(bench: Bench) -> None:
    """`alpha --version` must tell the pinned release, or PATH checks and bug reports mean nothing."""
    bench.build("alpha")
    (call, *_) = [call for call in bench.calls if call.startswith("build")]
    assert "-ldflags -s -w -X example.test/alpha.Version=1.2.3" in call
    assert "-trimpath" in call
    assert call.endswith("./cmd/alpha")


def test_the_next_components_sources_are_fetched_while_one_compiles(bench: Bench) -> None:
    """The network works while the processor does."""
    gate = bench.folder / "gate"
    environ = bench.environ("gated")
    stream = Gate(gate, bench)
    assert main([], True, environ=environ, out=stream, pins=bench.pins) == 0
    assert stream.fetched_ahead


class Gate(io.StringIO):
    """Output that opens the gate of the fake compiler once the next component's download was asked for."""

    fetched_ahead = False

    def __init__(self, gate: Path, bench: Bench) -> None:
        super().__init__()
        self._gate, self._bench = gate, bench

    def write(self, text: str) -> int:
        if not self.fetched_ahead and any(
            "mod download" in call and "beta" in call for call in self._bench.calls
        ):
            self.fetched_ahead = True
            self._gate.touch()
        return super().write(text)


def test_one_component_that_does_not_compile_does_not_stop_the_others(bench: Bench) -> None:
    """A stack without Tempo is better than none."""
    code, events = bench.build(environ=bench.environ("broken"))
    assert code == 1
    assert kinds(events) == ["alpha:start", "alpha:failed", "beta:start", "beta:binary", "beta:done"]


def test_a_compile_error_shows_the_last_lines_and_where_the_log_is(bench: Bench) -> None:
    """ "unexpected EOF" of a compiler is not taken for one of the network."""
    event = failure(bench, "broken")
    assert event["detail"] == "alpha: go could not compile it"
    assert "main.go:3:1: syntax error: unexpected EOF" in str(event["why"])
    log = Path(str(event["log"]))
    assert log == bench.cache / "logs" / "alpha.log"
    assert str(log) in str(event["why"])
    assert "syntax error" in log.read_text()


@pytest.mark.parametrize(
    ("behaviour", "what", "why"),
    [
        ("diskfull", "alpha: the disk is full", "no space left on device"),
        ("refused", "alpha: the module proxy refuses a module", "403 Forbidden"),
        ("offline", "alpha: a module could not be downloaded", "no such host"),
    ],
)
def test_known_causes_are_named_with_a_next_step(bench: Bench, behaviour: str, what: str, why: str) -> None:
    """A user should not have to read a Go log to learn that the disk is full."""
    event = failure(bench, behaviour)
    assert event["detail"] == what
    assert why in str(event["why"])
    assert event["todo"]


def test_a_full_disk_ends_the_run_at_once(bench: Bench) -> None:
    """The next component would meet it too."""
    code, events = bench.build(environ=bench.environ("diskfull"))
    assert (code, kinds(events)) == (1, ["alpha:start", "alpha:failed"])


def test_a_module_with_another_hash_than_the_pinned_one_is_not_compiled(bench: Bench) -> None:
    """The hash here vouches for the sources, whoever serves them."""
    event = failure(bench, "", FAKE_SUM="h1:other=")
    assert "is not the pinned v1.2.3" in str(event["detail"])
    assert "h1:other=" in str(event["why"])
    assert not any(call.startswith("build") for call in bench.calls)


def test_without_go_the_message_says_which_go_and_the_alternative(bench: Bench) -> None:
    """Nothing can be built, so this is one error and no event per component."""
    (bench.folder / "tools" / "go").unlink()
    from firedrill.build import gotool, settings  # noqa: PLC0415  # the usual folders must not be searched here

    configured = settings.from_environment({**bench.environ(), "PATH": str(bench.folder / "tools")})
    bare = settings.Settings(
        configured.cache, True, configured.search_path, configured.environ, go_folders=()
    )
    with pytest.raises(EnvironmentProblem, match="no go command") as caught:
        gotool.find(bare, toolchain="go1.99.1", minimum="1.21")
    assert "install Go 1.21 or newer" in str(caught.value)
    assert "PATH" in str(caught.value)


def test_a_go_that_cannot_fetch_toolchains_is_refused_by_its_version(bench: Bench) -> None:
    """Debian 12's go 1.19 ignores GOTOOLCHAIN and would fail on the first go.mod."""
    with pytest.raises(EnvironmentProblem, match=r"too old: go1\.19\.8"):
        bench.build("alpha", environ=bench.environ(FAKE_VERSION="go1.19.8"))


def test_an_unknown_name_is_a_usage_error(bench: Bench) -> None:
    """Nothing is built when one of several names is wrong."""
    with pytest.raises(UsageError, match="gamma"):
        bench.build("alpha", "gamma")
    assert bench.calls == []


def test_a_cache_that_cannot_be_written_is_told_with_the_variable_that_moves_it(bench: Bench) -> None:
    """For example /var/cache/firedrill made by root, used by another user."""
    bench.cache.write_text("a file where the folder should be")
    with pytest.raises(EnvironmentProblem, match="cannot be written") as caught:
        bench.build("alpha")
    assert "FIREDRILL_CACHE" in str(caught.value)


def test_without_a_home_every_go_folder_lies_in_the_cache(bench: Bench) -> None:
    """The unprivileged user that builds for root has no home."""
    from firedrill.build import gotool, settings  # noqa: PLC0415

    configured = settings.from_environment(bench.environ())
    found = gotool.find(configured, toolchain="go1.99.1", minimum="1.21").environment(
        bench.pins.components[0]
    )
    for name in ("HOME", "GOPATH", "GOMODCACHE", "GOCACHE", "GOTMPDIR"):
        assert found[name].startswith(str(bench.cache)), name
    assert found["GOPROXY"] == "off"  # the user's own answer, not one of ours
    assert (found["GOTOOLCHAIN"], found["CGO_ENABLED"], found["GOWORK"]) == ("go1.99.1", "0", "off")


def test_a_module_outside_the_checksum_database_is_exempt_alone(bench: Bench) -> None:
    """What the user exempted stays exempt; everything else is still looked up."""
    from firedrill.build.gotool import Go  # noqa: PLC0415

    go = Go(Path("/go"), {"GONOSUMDB": "corp.test"})
    known = bench.pins.components[0]
    unknown = replace(known, checksum_database=False)
    assert go.environment(unknown)["GONOSUMDB"] == "corp.test,example.test/alpha"
    assert go.environment(known)["GONOSUMDB"] == "corp.test"


def test_a_component_may_need_another_toolchain_and_a_c_compiler(bench: Bench) -> None:
    """What an older module needs does not change how the others are built."""
    from firedrill.build.gotool import Go  # noqa: PLC0415

    go = Go(Path("/go"), {})
    older = replace(bench.pins.components[0], toolchain="go1.21.13", cgo=True)
    assert (go.environment(older)["GOTOOLCHAIN"], go.environment(older)["CGO_ENABLED"]) == ("go1.21.13", "1")
    assert go.environment(bench.pins.components[0])["CGO_ENABLED"] == "0"


def test_what_a_program_reads_is_kept_beside_it_and_missing_sources_are_made_first(bench: Bench) -> None:
    """Grafana reads its defaults and its plugins' descriptions, and its sources lack one file."""
    module = bench.folder / "module"
    module.chmod(0o755)
    (module / "conf").mkdir()
    (module / "conf" / "defaults.ini").write_text("[server]\n")
    text = PINS.replace(
        "    placeholders: [ui/index.html]\n",
        "    first: [[run, example.test/maker@v1.0.0, gen]]\n    files: [conf/*.ini]\n",
    )
    bench.pins = parse(text)
    code, _ = bench.build("alpha")
    assert code == 0
    assert (bench.binary("alpha").parent / "conf" / "defaults.ini").read_text() == "[server]\n"
    verbs = [call.split()[0] for call in bench.calls]
    assert verbs.index("run") < verbs.index("build")


def test_a_replacement_by_a_missing_folder_becomes_the_required_version() -> None:
    """Loki's archive lacks ./pkg/push, which its go.mod points to."""
    gomod = "require (\n\texample.test/a/push v0.1.0\n)\n\nreplace example.test/a/push => ./push\n"
    assert replaced_by_required(gomod, "example.test/a/push").endswith(
        "replace example.test/a/push => example.test/a/push v0.1.0\n"
    )
    with pytest.raises(BuildError, match="does not replace"):
        replaced_by_required("module x\n", "example.test/a/push")


def test_a_placeholder_page_is_embedded_where_the_module_lacks_one(bench: Bench) -> None:
    """The read-only module folder itself is left as it is."""
    bench.build("alpha")
    assert not (bench.folder / "module" / "ui").exists()


def test_a_long_phase_is_told_at_least_every_two_seconds() -> None:
    """A supervisor that hears nothing for longer may call the build stuck."""
    now, heard = [0.0], list[Event]()
    progress = Progress(parse(PINS).components[0], heard.append, lambda: now[0])
    progress.phase("compile")
    for step in range(1, 101):
        now[0] = step * 0.1
        progress.tick()
    told = [event.seconds for event in heard]
    assert max(later - earlier for earlier, later in pairwise(told)) <= 2.0
    assert len(told) < 10


def test_a_person_reads_changes_at_once_and_progress_now_and_then() -> None:
    """A line every two seconds would bury what matters."""
    out = io.StringIO()
    show = human_lines(out)
    show(Event("start", "alpha", expected_seconds=10))
    for second in range(0, 32, 2):
        show(
            Event(
                "progress", "alpha", phase="compile", seconds=float(second), detail="7 of at most 9 packages"
            )
        )
    show(Event("failed", "alpha", seconds=33, detail="the disk is full", why="because", todo="free some"))
    lines = out.getvalue().splitlines()
    assert lines[0] == "alpha: building, about 10 s on two cores"
    assert lines[1] == "alpha: compile, 7 of at most 9 packages (16 s)"
    assert lines[2:] == ["alpha: failed after 33 s: the disk is full", "  why: because", "  do:  free some"]
