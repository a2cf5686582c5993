"""Checks of dashboards and rules that need no stack: each finding says where it is and what is wrong."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from firedrill.pace.promql import PromqlError

from .catalogue import TARGET_LABELS, Catalogue
from .expressions import ExpressionError, Group, Matcher, Promql, Selector, expand, logql, promql, variables
from .reader import Query, label_queries, links, queries

_LOG_VALUES = frozenset({"__error__", "__error_details__"})
_LEGEND = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_RUNBOOK = re.compile(r"^http://127\.0\.0\.1:8090/runbooks/([^/?]+)/([^/?#]+)$")
_BOARD = re.compile(r"^(?:http://127\.0\.0\.1:3002)?/d/([^/?#]+)")


def check_dashboard(made: Mapping[str, Any], known: Catalogue) -> list[str]:
    """Everything that is wrong with one dashboard's JSON."""
    uid = made["uid"]
    found = [f"{uid}: {finding}" for finding in _variables(made)]
    for query in queries(made):
        if query.datasource not in known.datasources:
            found.append(f"{query.place}: no datasource has the uid {query.datasource!r}")
        found += [f"{query.place}: {finding}" for finding in _query(query, known)]
    for place, url in links(made):
        found += [f"{place}: {finding}" for finding in _link(url, known)]
    return found


def check_rule(place: str, rule: Mapping[str, Any], known: Catalogue) -> list[str]:
    """Everything that is wrong with the references of one alert or recording rule."""
    found = [f"{place}: {finding}" for finding in check_promql(rule["expr"], known)]
    notes = rule.get("annotations", {})
    urls = [notes[name] for name in ("runbook_url", "dashboard_url") if name in notes]
    return [*found, *(f"{place}: {finding}" for url in urls for finding in _link(url, known))]


def check_promql(expression: str, known: Catalogue) -> Iterator[str]:
    """What a PromQL expression refers to and nothing declares."""
    try:
        read = promql(expand(expression))
    except (ExpressionError, PromqlError) as error:
        yield f"cannot be read: {error}: {expression}"
        return
    for selector in read.selectors:
        yield from _selector(selector, known)
    for group in read.groups:
        yield from _group(group, read, known)


def check_logql(expression: str, known: Catalogue) -> Iterator[str]:
    """What a LogQL expression refers to and nothing declares."""
    try:
        read = logql(expand(expression))
    except ExpressionError as error:
        yield f"cannot be read: {error}: {expression}"
        return
    for one in read.matchers:
        if one.label not in known.log_labels:
            yield f"log lines have no label {one.label!r}"
    for name in sorted(read.fields - known.log_labels - known.log_fields - _LOG_VALUES):
        yield f"no log line has a field {name!r}"


def _query(query: Query, known: Catalogue) -> Iterator[str]:
    if query.datasource == "loki":
        yield from check_logql(query.expr, known)
        return
    if query.datasource != "prometheus":
        return
    findings = list(check_promql(query.expr, known))
    yield from findings
    if not findings:
        yield from _legend(query, promql(expand(query.expr)), known)


def _selector(selector: Selector, known: Catalogue) -> Iterator[str]:
    if not selector.names:
        yield "a selector names no metric"
    for name in selector.names:
        if name not in known.series:
            yield f"no slice, rule or component declares the metric {name!r}"
            continue
        for one in selector.matchers:
            if one.label not in known.series[name] | TARGET_LABELS:
                yield f"the metric {name!r} has no label {one.label!r}"
    yield from (finding for one in selector.matchers for finding in _job(one, known))


def _job(one: Matcher, known: Catalogue) -> Iterator[str]:
    if one.label == "job" and one.operator == "=" and one.value not in known.jobs:
        yield f"no target has the job {one.value!r}"


def _group(group: Group, read: Promql, known: Catalogue) -> Iterator[str]:
    """Every metric below a group must have its labels, or the group would quietly be one."""
    if group.kind == "group_left" and not group.labels:
        return
    for name in {name for one in group.selectors for name in one.names if name in known.series}:
        for label in group.labels:
            if label not in known.series[name] | TARGET_LABELS | read.made:
                yield f"the metric {name!r} has no label {label!r} to group by"


def _legend(query: Query, read: Promql, known: Catalogue) -> Iterator[str]:
    groups = [set(group.labels) for group in read.groups if group.kind == "by"]
    names = [name for one in read.selectors for name in one.names]
    there = set().union(*groups) if groups else TARGET_LABELS.union(*(known.series[name] for name in names))
    for label in (*_LEGEND.findall(query.legend), *query.columns):
        if label not in there | read.made:
            yield f"its series have no label {label!r}, which its legend or columns name"


def _variables(made: Mapping[str, Any]) -> Iterator[str]:
    declared = {one["name"] for one in made["templating"]["list"]}
    used = {name for query in queries(made) for name in variables(query.expr)}
    yield from (f"nothing uses the variable ${name}" for name in sorted(declared - used))
    yield from (f"there is no variable ${name}, which a query uses" for name in sorted(used - declared))
    for name, metric, label in label_queries(made):
        if not re.fullmatch(r"\w+", metric + label):
            yield f"the variable ${name} cannot be read"


def _link(url: str, known: Catalogue) -> Iterator[str]:
    """What is filled in by a click, such as ${__value.text}, cannot be known here."""
    if (found := _RUNBOOK.match(url)) and "$" not in url and "/".join(found.groups()) not in known.runbooks:
        yield f"there is no runbook {found[1]}/{found[2]}"
    if (found := _BOARD.match(url)) and "$" not in found[1] and found[1] not in known.dashboards:
        yield f"there is no dashboard {found[1]!r}"
    if "/explore?" in url:
        for uid in re.findall(r'"datasource":"([^"]+)"', unquote(url)):
            if uid not in known.datasources:
                yield f"a link asks the datasource {uid!r}, which there is not"


def check_empty(
    declared: Iterable[Mapping[str, str]],
    made: Iterable[Mapping[str, Any]],
    drills: set[str],
    known: Catalogue,
) -> list[str]:
    """Panels said to be empty must exist, and so must the drills that fill them or the metrics of `while`."""
    panels = {(board["uid"], panel["title"]) for board in made for panel in board["panels"]}
    found = []
    for one in declared:
        place = f"{one['dashboard']}: {one['panel']}"
        if (one["dashboard"], one["panel"]) not in panels:
            found.append(f"{place}: there is no such panel")
        if ("drill" in one) == ("while" in one):
            found.append(f"{place}: it needs either a drill or while")
        if "drill" in one and one["drill"] not in drills:
            found.append(f"{place}: there is no drill {one['drill']}")
        if "while" in one:
            found += [f"{place}: {finding}" for finding in check_promql(one["while"], known)]
    return found
