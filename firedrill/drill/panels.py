"""Panels and examples of the docs that are empty in calm: the queries that a drill has to fill."""

import json
from collections.abc import Iterator
from pathlib import Path

from firedrill.dashboards.examples import PAGE, examples
from firedrill.dashboards.expressions import expand
from firedrill.dashboards.live import empty_in_calm, live

from .model import Drill

KINDS = ("prometheus", "loki", "tempo")
"""Queries for a datasource are asked as they stand, at every pace: dashboards know none."""


def filled_by(drill: Drill) -> Iterator[tuple[Path, int, str, str]]:
    """File, line, datasource and query of all that calm leaves empty and this drill fills."""
    project, name = drill.file.parents[2], f"{drill.slice}/{drill.alert}"
    wanted = {key for key, calm in empty_in_calm(project).items() if calm.drill == name}
    for path in sorted((project / "dashboards").glob("*/*.json")) if wanted else ():
        text = path.read_text("utf-8")
        board = live(json.loads(text), path.parent.name)
        for panel in board.panels:
            if (board.uid, panel.title) in wanted:
                before, _, _ = text.partition(f'"title": {json.dumps(panel.title)}')
                line = before.count("\n") + 1
                yield from ((path, line, ask.datasource, expand(ask.text)) for ask in panel.asks)
    for example in examples(project):
        if example.drill == name:
            yield project / PAGE, example.line, example.datasource, example.query
