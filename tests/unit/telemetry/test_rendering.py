"""Lines are the same whether their pieces are remembered, new, or written together."""

from __future__ import annotations

import json
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.masking import mask_pair, mask_text
from telemetry.rendering import RESERVED, Handled, Line, Renderer
from telemetry.settings import TelemetrySettings
from tests.unit.telemetry.examples import examples

texts = st.text(max_size=30) | st.sampled_from(
    ["user@example.com", "4111111111111111", "x" * 600, "a\ud800", '"\\']
)
values = texts | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.none() | st.floats(-1e9, 1e9)
keys = st.sampled_from(["path", "status", "request_id", "api_key", "user@example.com", "level", 'q"'])
fields = st.dictionaries(keys | st.text(min_size=1, max_size=5), values, max_size=6)


def expected(line: Line) -> dict[str, object]:
    """The line by its definition."""
    shown: dict[str, object] = {
        "timestamp": "1970-01-01T00:00:01.500Z",
        "level": "INFO",
        "service": "shop",
        "system": "platform",
        "component": line.component,
        "message": mask_text(line.message),
        "trace_id": f"{line.trace_id:032x}" if line.trace_id else "",
        "span_id": f"{line.span_id:016x}" if line.span_id else "",
    }
    for key, value in line.fields.items():
        shown[f"field_{key}" if key in RESERVED else mask_text(key)] = mask_pair(key, value)
    return json.loads(json.dumps(shown).encode("utf-8", "replace"))  # type: ignore[no-any-return]


def encodable(value: object) -> object:
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.tuples(texts, st.integers(0, 2**128 - 1), fields), min_size=1, max_size=4))
def test_lines_are_masked_json_of_their_fields(given_lines: list[tuple[str, int, dict[str, object]]]) -> None:
    """Fields of every plain type, secrets in keys and values, and names that are ours."""
    render = Renderer(TelemetrySettings(service="shop"))
    lines = [
        Line(1_500_000_000, 20, "http", message, trace_id, trace_id % 2**64, named)
        for message, trace_id, named in given_lines
    ]
    for line in [*lines, *lines]:  # the second time finds what the first one remembered
        data = render(line)
        assert data.endswith(b"}\n")
        assert orjson.loads(data) == encodable(expected(line))


@settings(max_examples=examples(200), deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([(0, 0), (2**127, 5), (7, 2**63)]),
            st.sampled_from(["0af7651916cd43dd8448eb211c80319c", "order-7", "a.b_c:d"]),
            st.sampled_from(["GET", "_OTHER"]),
            st.sampled_from(["/items/{item}", "unknown"]),
            st.sampled_from([200, 404, 503]),
            texts,
            st.floats(0, 100),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_a_requests_own_line_is_the_general_one(given_ones: list[tuple[Any, ...]]) -> None:
    """Whichever way it is written."""
    render = Renderer(TelemetrySettings(service="shop"))
    for ids, *rest in [*given_ones, *given_ones]:
        one = Handled(1_500_000_000, 20, *ids, *rest)
        assert orjson.loads(render.handled(one)) == orjson.loads(
            Renderer(TelemetrySettings(service="shop"))(one.line())
        )


def test_a_path_without_end_is_cut() -> None:
    """A line is bounded."""
    one = Handled(0, 20, 1, 2, "r", "GET", "unknown", 404, "/a" * 100_000, 0.1)
    assert len(Renderer(TelemetrySettings()).handled(one)) < 128 * 1024


def test_equal_numbers_of_different_types_stay_apart() -> None:
    """1, True and 1.0 are one key of a dictionary, and three values of JSON."""
    render = Renderer(TelemetrySettings())
    for value, text in ((1, b'"v":1}'), (True, b'"v":true}'), (1.0, b'"v":1.0}'), (1, b'"v":1}')):
        assert text in render(Line(0, 20, "c", "m", 0, 0, {"v": value}))
