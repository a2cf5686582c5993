"""Examples are read from the page on which people find them."""

from pathlib import Path

from firedrill.dashboards.examples import Example, examples, read

PAGE = """# Queries

Words.

```logql
{a="before any section"}
```

## fds

Of fds. Which are
slow?

```logql
{service="fds"}
  | json
```

Not one of ours:

```sh
firedrill search x
```

## `ml`

What failed? Empty in calm; filled by the drill
`fds/FDSSLAViolation`.

```traceql
{ status = error }
```
"""


def test_each_block_is_read_with_its_question() -> None:
    """Under its heading, with the paragraph before it; other languages are no examples."""
    first, second, third = read(PAGE)
    assert first.section == ""
    assert second == Example("fds", "Of fds. Which are slow?", "logql", '{service="fds"}\n  | json', 14)
    assert (third.section, third.question, third.datasource) == ("ml", "What failed?", "tempo")


def test_what_fills_an_example_is_read() -> None:
    """The drill, and no drill where calm gives data."""
    assert [one.drill for one in read(PAGE)] == ["", "", "fds/FDSSLAViolation"]


def test_a_project_without_the_page_has_none(tmp_path: Path) -> None:
    """A copy of the stack without docs is no error."""
    assert examples(tmp_path) == []
