"""What the tools really say (recorded), and the place in the project that it points to."""

from pathlib import Path

import pytest

from firedrill.reload.findings import Finding, finding

RULES = """groups:
  - name: fds
    rules:
      - alert: A
        expr: |
          sum(x
        for: 5 m
"""
ROUTES = "route:\n  receiver: inbox\n  routes:\n    - receiver: nobody\n"
TARGETS = "- targets: [a]\n  lables: {b: c}\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[Path, Path]:
    """Checked copies and their sources."""
    found = {}
    for name, text in {"alerts.yml": RULES, "alertmanager.yml": ROUTES, "fds.yml": TARGETS}.items():
        copy, source = tmp_path / "copy" / name, tmp_path / "project" / name
        for path in (copy, source):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        found[copy] = source
    template = tmp_path / "copy" / "firedrill.tmpl"
    found[template] = tmp_path / "project" / "firedrill.tmpl"
    return found


def _of(said: str, files: dict[Path, Path], main: str = "alertmanager.yml") -> Finding:
    folder = next(iter(files)).parent
    return finding(said.replace("COPY", str(folder)), files, folder.parent / "project" / main)


def _place(found: Finding) -> tuple[str, int | None]:
    return found.file.name, found.line


def test_promtool_gives_file_line_and_column_of_an_expression(files: dict[Path, Path]) -> None:
    """Its progress on standard output, which names other files too, is not the complaint."""
    said = (
        "Checking COPY/fds.yml\n  SUCCESS: 7 rules found\nChecking COPY/alerts.yml\n\n  FAILED:\n"
        'COPY/alerts.yml: 6:11: group "fds", rule 1, "A": could not parse expression: 1:6: parse error: '
        "unclosed left parenthesis\n"
    )
    found = _of(said, files)
    assert _place(found) == ("alerts.yml", 6)
    assert found.why.endswith("parse error: unclosed left parenthesis")
    assert "copy" not in found.why


def test_a_value_without_a_line_is_looked_for_in_the_file(files: dict[Path, Path]) -> None:
    """promtool quotes the duration and does not say where it stands."""
    found = _of('  FAILED:\nCOPY/alerts.yml: unknown unit " m" in duration "5 m"\n', files)
    assert _place(found) == ("alerts.yml", 7)


def test_a_field_that_does_not_exist(files: dict[Path, Path]) -> None:
    """The YAML parser's own line, on a line of its own."""
    said = "  FAILED:\nCOPY/alerts.yml: yaml: unmarshal errors:\n  line 7: field forr not found in type R\n"
    assert _place(_of(said, files)) == ("alerts.yml", 7)


def test_amtool_names_no_line_for_a_receiver(files: dict[Path, Path]) -> None:
    """The quoted name leads there."""
    said = "Checking 'COPY/alertmanager.yml'  FAILED: undefined receiver \"nobody\" used in route\n\n"
    said += "amtool: error: failed to validate 1 file(s)\n"
    found = _of(said, files)
    assert _place(found) == ("alertmanager.yml", 4)
    assert found.why == 'undefined receiver "nobody" used in route'


def test_a_template_is_named_by_its_file_name_alone(files: dict[Path, Path]) -> None:
    """With the line."""
    said = '  FAILED: template: firedrill.tmpl:4: function "ende" not defined\n'
    assert _place(_of(said, files)) == ("firedrill.tmpl", 4)


def test_target_files_are_named_by_their_pattern_alone(files: dict[Path, Path]) -> None:
    """The field that it quotes tells which of them."""
    said = (
        'FAILED: checking SD file "COPY/*.yml": yaml: unmarshal errors:\n  line 2: field lables not found\n'
    )
    assert _place(_of(said, files)) == ("fds.yml", 2)


def test_what_names_nothing_is_blamed_on_the_file_that_was_checked(files: dict[Path, Path]) -> None:
    """With the reason, and without a line."""
    found = _of("Error: something is wrong\n", files)
    assert _place(found) == ("alertmanager.yml", None)
    assert found.text(found.file.parent) == "alertmanager.yml: Error: something is wrong"
