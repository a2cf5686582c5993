"""YAML as docker compose reads it, with the line of every value for messages."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from firedrill.errors import TopologyError

Where = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """YAML 1.2 scalars: `22:22` and dates are text, only true and false are truth."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in {"tag:yaml.org,2002:null"}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?[0-9]+$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?$"), list("-+0123456789")
)


class Document:
    """A parsed file: `data` in plain values, `line(where)` for messages."""

    def __init__(self, path: Path, text: str, *, change: Callable[[str], str] = lambda value: value) -> None:
        """Parse `text`, passing each text value (not keys) through `change`. Raises TopologyError."""
        self.path = path
        self._change = change
        self._lines: dict[Where, int] = {}
        self.data: Any = self._value(parse(path, text), ())

    def line(self, where: Where) -> int:
        """The line of a value, or of the nearest value around it; 1 is the first."""
        while where and where not in self._lines:
            where = where[:-1]
        return self._lines.get(where, 1)

    def error(self, where: Where, what: str, why: str = "", todo: str = "") -> TopologyError:
        """An error that begins with file and line."""
        return TopologyError(f"{self.path.name}:{self.line(where)}: {what}", why, todo)

    def _value(self, node: yaml.Node | None, where: Where) -> Any:
        if node is None:
            return None
        self._lines[where] = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, where)
        if isinstance(node, yaml.SequenceNode):
            return [self._value(item, (*where, index)) for index, item in enumerate(node.value)]
        value = _scalar(node)
        if not isinstance(value, str):
            return value
        try:
            return self._change(value)
        except ValueError as error:
            raise self.error(
                where, f"the value {value!r} cannot be used", str(error), "set it in .env or change the line"
            ) from None

    def _mapping(self, node: yaml.MappingNode, where: Where) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                sources = value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]
                for source in sources:
                    merged = {**self._value(source, where), **merged}
                continue
            key = str(_scalar(key_node))
            if key in own:
                line = key_node.start_mark.line + 1
                raise TopologyError(
                    f"{self.path.name}:{line}: the key '{key}' stands twice",
                    "only one of them would count",
                    "remove one of them",
                )
            own[key] = self._value(value_node, (*where, key))
        self._lines[where] = node.start_mark.line + 1
        return {**merged, **own}


def parse(path: Path, text: str) -> yaml.Node | None:
    """The node tree of one YAML document. Raises TopologyError with line and column."""
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise broken_yaml(path, error) from None
    return node


def broken_yaml(path: Path, error: yaml.YAMLError) -> TopologyError:
    """What the parser found, in the user's words."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or str(error)
    context = getattr(error, "context", None)
    return TopologyError(
        f"{path}{place}: this is not YAML",
        f"{problem}{f' ({context})' if context else ''}",
        "mend that line: most often it is the indentation, a tab, or a missing quote",
    )


def _scalar(node: yaml.Node) -> Any:
    loader = _Loader("")
    try:
        return loader.construct_object(node, deep=True)
    finally:
        loader.dispose()
