"""What expressions refer to is read from PromQL and LogQL, whatever their form."""

import pytest

from firedrill.dashboards.expressions import ExpressionError, Matcher, expand, logql, promql, variables


def names(expression: str) -> list[tuple[str, ...]]:
    """The metrics of an expression, in order."""
    return [one.names for one in promql(expression).selectors]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("up", [("up",)]),
        ("up == 0 and count_over_time(up[5m]) >= 18", [("up",), ("up",)]),
        ("sum by (le) (rate(x_bucket[5m]))", [("x_bucket",)]),
        ("sum(rate(x_total[5m])) by (job)", [("x_total",)]),
        ('sum(increase({__name__=~"a_total|b_total"}[1m]))', [("a_total", "b_total")]),
        ("slo:bad:increase5m / slo:all:increase5m", [("slo:bad:increase5m",), ("slo:all:increase5m",)]),
        ("a * on (x) group_left (y) b offset 5m", [("a",), ("b",)]),
        ("time() - foo or vector(0)", [("foo",)]),
        ('label_replace(up, "slice", "$1", "job", "(.+)")', [("up",)]),
        ('x{a="sum by (y) (z)"} unless on () y', [("x",), ("y",)]),
    ],
)
def test_metrics_are_found_and_nothing_else(expression: str, expected: list[tuple[str, ...]]) -> None:
    """Functions, keywords, labels and the insides of strings are no metrics."""
    assert names(expression) == expected


def test_matchers_are_found_with_their_signs() -> None:
    """All four kinds."""
    (one,) = promql('x{a="1", b!="2", c=~"3", d!~"4,}"}').selectors
    assert one.matchers == (
        Matcher("a", "=", "1"),
        Matcher("b", "!=", "2"),
        Matcher("c", "=~", "3"),
        Matcher("d", "!~", "4,}"),
    )


def test_a_group_knows_what_it_groups() -> None:
    """Written before the brackets or behind them; the neighbour is not its business."""
    first, second = promql("sum by (a, b) (x) / sum(y + z) by (c)").groups
    assert (first.labels, [one.names for one in first.selectors]) == (("a", "b"), [("x",)])
    assert (second.labels, [one.names for one in second.selectors]) == (("c",), [("y",), ("z",)])


def test_labels_that_an_expression_makes_are_known() -> None:
    """Of each label_replace, however deep, and not what stands in braces or is the value."""
    inner = 'label_replace(ALERTS{a="b", c="d"}, "slice", "$1", "service", "(.+)")'
    assert promql(f'label_replace({inner}, "board", "x", "system", ".+")').made == {"slice", "board"}


def test_macros_and_variables_are_filled_in() -> None:
    """Macros become durations, variables what matches all; references to groups stay."""
    assert expand('rate(x{t=~"$tenant"}[$__rate_interval])') == 'rate(x{t=~".+"}[1m])'
    assert (
        expand('label_replace(x, "a", "$1", "b", "${kind:regex}")')
        == 'label_replace(x, "a", "$1", "b", ".+")'
    )
    assert variables('x{a="$b", c="${d:regex}"}[$__range] "$1"') == {"b", "d"}


def test_a_log_query_names_labels_and_fields() -> None:
    """Fields of filters, unwrap, groups and templates; words in strings and functions are none."""
    query = (
        'avg_over_time({service="x"} |= "total cost" | json | status>=500 | unwrap elapsed_ms [5m]) by (mode)'
    )
    read = logql(query)
    assert read.matchers == (Matcher("service", "=", "x"),)
    assert read.fields == {"status", "elapsed_ms", "mode"}
    assert logql('{a=~".+"} | json | line_format "{{.service}}: {{ .message }}"').fields == {
        "service",
        "message",
    }


@pytest.mark.parametrize("expression", ["sum(x", "x)", "x{a=}", "x[5m}"])
def test_what_cannot_be_read_is_refused(expression: str) -> None:
    """An unclosed bracket would otherwise hide what stands in it."""
    with pytest.raises(ExpressionError):
        promql(expression)


@pytest.mark.parametrize("query", ["| json", '{a="b"', "{a b}"])
def test_a_log_query_without_a_stream_is_refused(query: str) -> None:
    """As Loki would."""
    with pytest.raises(ExpressionError):
        logql(query)
