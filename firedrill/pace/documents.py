"""The demo pace of whole files: alert rules, prometheus.yml and alertmanager.yml.

Documents are read as YAML nodes and written from the same nodes, so that only what has a pace
changes; every scalar keeps its type, quotes and anchors. Comments of the YAML are lost in the copy.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from firedrill.errors import TopologyError, UsageError

from .durations import format_duration, parse_duration
from .promql import scale_expression

PACES = ("demo", "production")
DIVISOR = 10
SCRAPE = 15_000  # milliseconds between scrapes at production pace; prometheus.yml is held to it
RANGE_FLOOR = 4 * SCRAPE // DIVISOR  # four demo scrapes: rate() needs two, and two may be late or lost

_GROUP_KEYS = {"name", "interval", "query_offset", "limit", "labels", "rules"}
_RULE_KEYS = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}
_ROUTE_TIMES = {"group_wait", "group_interval", "repeat_interval"}
_SCRAPE_TIMES = {"scrape_interval", "evaluation_interval", "scrape_timeout", "rule_query_offset"}


def scale(milliseconds: int) -> int:
    """A tenth, and never nothing: Prometheus refuses an interval of 0."""
    return max(milliseconds // DIVISOR, 1) if milliseconds else 0


def scale_range(milliseconds: int) -> int:
    """A tenth, but no less than four scrapes; a range that is shorter than that already stays as it is."""
    return min(milliseconds, max(scale(milliseconds), RANGE_FLOOR))


def pace_duration(text: str, pace: str) -> str:
    """A duration of a config or command line, such as `1m`, at `pace`. Raises ValueError when it is none."""
    _known(pace)
    return text if pace == "production" else format_duration(scale(parse_duration(text)))


def pace_expression(expression: str, pace: str) -> str:
    """A PromQL expression, written at production pace, at `pace`. Raises PromqlError (a ValueError)."""
    _known(pace)
    if pace == "production":
        return expression
    return scale_expression(expression, scale_range=scale_range, scale_other=scale)


def pace_file(path: Path, text: str, pace: str) -> str:
    """The file's text at `pace`: rules, `prometheus.yml`, `alertmanager.yml`; others unchanged.

    Production is the text itself. Raises TopologyError with file and rule when something in it has
    no known pace.
    """
    _known(pace)
    transform = _TRANSFORMS.get(path.name)
    if pace == "production" or transform is None:
        return text
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise TopologyError(f"{path} is not YAML", " ".join(str(error).split()), "correct the file") from None
    if root is None:
        return text
    document = _Document(path)
    transform(document, root)
    return f"# {path.name} at demo pace, made from the file of that name. Edit that one.\n" + yaml.serialize(
        root, Dumper=_Writer, allow_unicode=True, width=10_000
    )


def _known(pace: str) -> None:
    if pace not in PACES:
        raise UsageError(
            f"there is no pace {pace!r}",
            "PACE is one of: " + ", ".join(PACES),
            "set PACE=demo or leave it out",
        )


class _Writer(yaml.SafeDumper):
    """Writes nodes as they are."""


class _Document:
    """Access to the nodes of one file; each duration is changed once, even when an alias shares it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: set[int] = set()

    def refuse(self, where: str, why: str) -> TopologyError:
        """The error that names the file and the place in it."""
        return TopologyError(
            f"{self.path}: {where} has no known pace",
            why,
            "write it as the other rules are, or teach firedrill.pace",
        )

    def items(self, node: yaml.Node | None, where: str) -> Iterator[tuple[str, yaml.Node]]:
        """Keys and values of a mapping; nothing for an absent one."""
        if node is None or _empty(node):
            return
        if not isinstance(node, yaml.MappingNode):
            raise self.refuse(where, "it must be a mapping")
        for key, value in node.value:
            if key.tag == "tag:yaml.org,2002:merge":
                raise self.refuse(where, "a merge key (<<) hides what it brings")
            yield key.value, value

    def entries(self, node: yaml.Node, where: str) -> list[yaml.Node]:
        """The entries of a list."""
        if _empty(node):
            return []
        if not isinstance(node, yaml.SequenceNode):
            raise self.refuse(where, "it must be a list")
        return list(node.value)

    def change(self, node: yaml.Node, where: str, change: Callable[[str], str]) -> None:
        """Replace the text of a scalar once. Raises TopologyError when `change` raises ValueError."""
        if not isinstance(node, yaml.ScalarNode):
            raise self.refuse(where, "it must be a plain value")
        if id(node) in self._done:
            return
        self._done.add(id(node))
        try:
            node.value = change(node.value)
        except ValueError as error:
            raise self.refuse(where, str(error)) from None
        node.tag = "tag:yaml.org,2002:str" if node.tag.endswith((":int", ":str")) else node.tag

    def duration(self, node: yaml.Node, where: str) -> None:
        """A tenth of the duration."""
        self.change(node, where, lambda text: pace_duration(text, "demo"))


def _empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _rules(document: _Document, root: yaml.Node) -> None:
    """A Prometheus rule file."""
    for key, groups in document.items(root, "the file"):
        if key != "groups":
            raise document.refuse(key, "a rule file holds only groups")
        for group in document.entries(groups, "groups"):
            _group(document, group)


def _group(document: _Document, node: yaml.Node) -> None:
    parts = dict(document.items(node, "a group"))
    name = f"group {parts['name'].value}" if "name" in parts else "a group without name"
    if unknown := parts.keys() - _GROUP_KEYS:
        raise document.refuse(name, f"unknown key {', '.join(sorted(unknown))}")
    for key in {"interval", "query_offset"} & parts.keys():
        document.duration(parts[key], f"{name}, {key}")
    for rule in document.entries(parts["rules"], name) if "rules" in parts else []:
        _rule(document, rule, name)


def _rule(document: _Document, node: yaml.Node, group: str) -> None:
    parts = dict(document.items(node, f"a rule of {group}"))
    name = next(
        (f"rule {parts[key].value}" for key in ("alert", "record") if key in parts), f"a rule of {group}"
    )
    if unknown := parts.keys() - _RULE_KEYS:
        raise document.refuse(name, f"unknown key {', '.join(sorted(unknown))}")
    for key in {"for", "keep_firing_for"} & parts.keys():
        document.duration(parts[key], f"{name}, {key}")
    if "expr" not in parts:
        raise document.refuse(name, "it has no expr")
    document.change(parts["expr"], f"{name}, expr", lambda text: pace_expression(text, "demo"))
    for key, value in document.items(parts.get("annotations"), f"{name}, annotations"):
        if _queries(str(value.value)):
            raise document.refuse(
                f"{name}, annotation {key}", "a query inside a template keeps its production ranges"
            )


def _queries(template: str) -> bool:
    """Whether an annotation asks Prometheus itself, by the template function `query`."""
    actions = [part.split("}}")[0] for part in template.split("{{")[1:]]
    return any("query" in action.replace("(", " ").replace("-", " ").split() for action in actions)


def _prometheus(document: _Document, root: yaml.Node) -> None:
    """prometheus.yml: global times and those of each job."""
    for key, value in document.items(root, "the file"):
        if key == "global":
            _scrape_times(document, value, "global")
        elif key == "scrape_configs":
            for job in document.entries(value, key):
                name = next((v.value for k, v in document.items(job, key) if k == "job_name"), "without name")
                _scrape_times(document, job, f"job {name}")


def _scrape_times(document: _Document, node: yaml.Node, where: str) -> None:
    for key, value in document.items(node, where):
        if key == "scrape_interval" and _too_slow(str(value.value)):
            raise document.refuse(
                f"{where}, scrape_interval",
                f"ranges are floored at four scrapes of {format_duration(SCRAPE)}, and it is longer",
            )
        if key in _SCRAPE_TIMES:
            document.duration(value, f"{where}, {key}")


def _too_slow(text: str) -> bool:
    try:
        return parse_duration(text) > SCRAPE
    except ValueError:
        return False  # the duration itself is refused with its own words


def _alertmanager(document: _Document, root: yaml.Node) -> None:
    """alertmanager.yml: resolve_timeout and the times of every route in the tree."""
    for key, value in document.items(root, "the file"):
        if key == "global":
            for name, entry in document.items(value, "global"):
                if name == "resolve_timeout":
                    document.duration(entry, "global, resolve_timeout")
        elif key == "route":
            _route(document, value, "route")


def _route(document: _Document, node: yaml.Node, where: str) -> None:
    for key, value in document.items(node, where):
        if key in _ROUTE_TIMES:
            document.duration(value, f"{where}, {key}")
        elif key == "routes":
            for index, child in enumerate(document.entries(value, where)):
                _route(document, child, f"{where}.routes[{index}]")


def _grafana_rules(document: _Document, root: yaml.Node) -> None:
    """Grafana's alert rules. A group's interval stays: Grafana evaluates no more often than every 10 s."""
    for key, groups in document.items(root, "the file"):
        for group in document.entries(groups, key) if key == "groups" else []:
            for rule in document.entries(dict(document.items(group, key))["rules"], key):
                parts = dict(document.items(rule, "a rule"))
                name = f"rule {parts['title'].value}"
                document.duration(parts["for"], f"{name}, for")
                for step in document.entries(parts["data"], name):
                    model = dict(document.items(dict(document.items(step, name))["model"], name))
                    if "expr" in model:
                        document.change(model["expr"], name, lambda text: pace_expression(text, "demo"))


def _grafana_delivery(document: _Document, root: yaml.Node) -> None:
    """Grafana's notification policies."""
    for key, policies in document.items(root, "the file"):
        for policy in document.entries(policies, key) if key == "policies" else []:
            _route(document, policy, "policies")


_TRANSFORMS: dict[str, Callable[[_Document, yaml.Node], None]] = {
    "alerts.yml": _rules,
    "slo_rules.yml": _rules,
    "prometheus.yml": _prometheus,
    "alertmanager.yml": _alertmanager,
    "grafana_rules.yml": _grafana_rules,
    "grafana_delivery.yml": _grafana_delivery,
}
