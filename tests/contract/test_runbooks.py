"""Runbooks: same headings, queries that can be run, and nothing named in them that does not exist."""

import re
from pathlib import Path

import pytest
import yaml

from firedrill import promtool
from firedrill.binaries import locate

ROOT = Path(__file__).resolve().parents[2]
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation"]
RUN = {"promql", "logql", "traces", "traceql"}
TAGS = RUN | {"sh", "text"}
# What cannot be asked while the alert fires, because it is what is down.
SILENT = {"Watchdog": {"promql"}, "TracePipelineStalled": {"traces"}}
LABELS = {"service", "system", "level", "component", "log_type"}
FOREIGN = re.compile(r"^(up|pg|redis|otelcol|loki|prometheus|process)(_|$)")
"""Metrics that a component brings, not a slice; the drills find out whether they are there."""
WORDS = {"HTTP", "GET", "PUT", "POST", "DELETE", "ALERTS"}

RUNBOOKS = sorted([*ROOT.glob("services/*/runbooks/*.md"), *ROOT.glob("config/platform/runbooks/*.md")])
every_runbook = pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)


def fences(text: str) -> list[tuple[str, str]]:
    """Tag and content of each fenced block; an untagged one has an empty tag."""
    found = re.findall(r"^[ ]*```(\w*)\n(.*?)^[ ]*```$", text, flags=re.MULTILINE | re.DOTALL)
    return [(tag, content.strip()) for tag, content in found]


def tagged(path: Path, tag: str) -> list[str]:
    """The blocks of one kind."""
    return [content for own, content in fences(path.read_text("utf-8")) if own == tag]


def sources(*patterns: str) -> str:
    """The files as one text."""
    return "\n".join(file.read_text("utf-8") for pattern in patterns for file in sorted(ROOT.glob(pattern)))


def test_there_are_runbooks() -> None:
    """The tests below go over all of them, and must not go over none."""
    assert RUNBOOKS


@every_runbook
def test_a_runbook_has_the_four_parts(path: Path) -> None:
    """Its alert as title; exactly Meaning, Impact, Diagnosis, Mitigation; none of them empty."""
    text = path.read_text("utf-8")
    assert re.findall(r"^# (.+)$", text, flags=re.MULTILINE) == [path.stem]
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    assert parts[1::2] == HEADINGS
    assert all(len(part.split()) >= 10 for part in parts[2::2])


@every_runbook
def test_a_runbook_asks_metrics_logs_and_traces(path: Path) -> None:
    """Blocks of every kind that can be asked during the alert, all in Diagnosis, and none untagged."""
    text = path.read_text("utf-8")
    diagnosis = text.partition("## Diagnosis")[2].partition("## Mitigation")[0]
    assert {tag for tag, _ in fences(text)} <= TAGS
    assert [one for one in fences(text) if one[0] in RUN] == [
        one for one in fences(diagnosis) if one[0] in RUN
    ]
    assert {tag for tag, _ in fences(diagnosis)} & RUN == RUN - SILENT.get(path.stem, set())


@pytest.mark.skipif(locate("promtool") is None, reason="no promtool here; get it: firedrill build prometheus")
@every_runbook
def test_the_promql_of_a_runbook_is_valid(path: Path, tmp_path: Path) -> None:
    """As Prometheus itself reads it."""
    rules = [{"record": f"r:{n}", "expr": query} for n, query in enumerate(tagged(path, "promql"))]
    if not rules:
        assert "promql" in SILENT[path.stem]
        return
    file = tmp_path / "runbook.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "runbook", "rules": rules}]}))
    promtool.check_rules([file])


@every_runbook
def test_the_metrics_of_a_runbook_exist(path: Path) -> None:
    """Each is declared by a slice, by the telemetry library or by a component."""
    known = sources("docs/signals.md", "telemetry/*.py", "faults/*.py", "services/*/signals.py")
    known += sources("services/ml/drift.py")
    for query in tagged(path, "promql"):
        bare = re.sub(r'"[^"]*"|\{[^}]*\}|\[[^\]]*\]|\b(by|without) \([^)]*\)', " ", query)
        names = set(re.findall(r"\b[a-z]+_[a-z0-9_]+\b(?!\s*\()", bare)) | set(
            re.findall(r"\b[a-z0-9_]+_[a-z0-9]+(?=[|\"])", query if "__name__" in query else "")
        )
        for name in names:
            plain = re.sub(r"_(bucket|sum|count)$", "", name)
            assert FOREIGN.match(name) or f'"{plain}"' in known or f"`{plain}`" in known, name


@every_runbook
def test_the_log_queries_of_a_runbook_use_what_is_written(path: Path) -> None:
    """Labels that Promtail sets; services, components and messages as the code has them."""
    written = sources("services/*/*.py", "telemetry/*.py")
    for query in tagged(path, "logql"):
        selectors = re.findall(r"\{([^}]*)\}", query)
        assert selectors
        for name, value in re.findall(r'(\w+)=~?"([^"]*)"', selectors[0]):
            assert name in LABELS
            if name == "service" and value != ".+":
                assert (ROOT / "services" / value).is_dir(), value
            if name == "component":
                assert f'get_logger("{value}")' in written or f'"{value}", "Request handled"' in written, (
                    value
                )
        for message in re.findall(r'message="([^"]*)"', query):
            assert f'"{message}"' in written, message


@every_runbook
def test_the_trace_queries_of_a_runbook_name_spans_that_exist(path: Path) -> None:
    """`service=<name> operation="<name>" minDuration=100ms tags={...}`: a service of ours, a span of it."""
    form = re.compile(
        r'service=(?P<service>[\w-]+)(?: operation="(?P<operation>[^"]+)")?'
        r'(?: minDuration=(?P<least>\d+(?:ms|s)))?(?: tags=(?P<tags>\{("[\w.]+":"[^"]*",?)+\}))?'
    )
    for query in tagged(path, "traces"):
        found = form.fullmatch(query)
        assert found, query
        operation = found["operation"]
        if operation is None:
            assert (ROOT / "services" / found["service"]).is_dir()
        elif " " in operation:  # a route: METHOD /path
            last = operation.rpartition("/")[2]
            assert f'"/{last}"' in sources(f"services/{found['service']}/api.py"), operation
        else:
            code = sources(f"services/{found['service']}/signals.py")
            stem, _, engine = operation.partition(".")
            assert f'"{operation}"' in code or f'f"{stem}.' in code, engine
    for query in tagged(path, "traceql"):
        assert query.startswith("{"), query
        for name in re.findall(r'resource\.service\.name = "([^"]+)"', query):
            assert (ROOT / "services" / name).is_dir()


def defaults(name: str, folder: str) -> set[str]:
    """What `name` is set to: in .env.example, in the slice's code, or in docker-compose.yml."""
    code = sources(f"services/{folder}/*.py")
    found = re.findall(rf"^{name}=(.*)$", sources(".env.example"), flags=re.MULTILINE)
    found += re.findall(rf'"{name}",\s*(?:DEFAULT_)?([\d_.]+)', code)
    found += re.findall(rf"^{name}(?:: [^=\n]+)? = ([\d_.]+)", code, flags=re.MULTILINE)
    return {f"{float(one):g}" for one in found if re.fullmatch(r"[\d_.]+", one)}


@every_runbook
def test_the_settings_of_a_runbook_exist_and_have_the_value_that_it_says(path: Path) -> None:
    """`NAME` is in .env.example or in the slice's code; a number in brackets after it is its default."""
    text = " ".join(path.read_text("utf-8").split())
    slice_name = path.parent.parent.name
    everywhere = sources(".env.example", "docker-compose.yml", f"services/{slice_name}/*.py")
    for name, said in re.findall(r"`([A-Z][A-Z0-9_]{2,})`(?: \(([\d.]+))?", text):
        if name in WORDS:
            continue
        assert re.search(rf"\b{name}\b", everywhere), f"{name} is no setting of {slice_name}"
        if said:
            assert f"{float(said.rstrip('.')):g}" in defaults(name, slice_name), (name, said)


@every_runbook
def test_the_files_that_a_runbook_names_exist(path: Path) -> None:
    """services/…, config/… and docs/…; a `key` of a config file stands in that file."""
    text = path.read_text("utf-8")
    for name in re.findall(r"\b((?:services|config|docs)/[\w./-]+\w)", text):
        assert (ROOT / name).exists() or name.endswith("/"), name
    told = re.findall(
        r"`([a-z_]+)(?:: [^`]*)?` \(?(?:\([^)]*\) )?(?:limit )?in\s+(config/[\w./]+\.yml)", text
    )
    for key, file in told:
        assert key in (ROOT / file).read_text("utf-8"), (key, file)
