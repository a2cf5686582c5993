"""What the local runtime can build: the components, versions and hashes of backends/pins.yaml."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from firedrill.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "backends" / "pins.yaml"


@dataclass(frozen=True)
class Component:
    """One pinned component; the fields are explained in backends/pins.yaml."""

    name: str
    toolchain: str
    minimum_go: str
    module_version: str
    version: str
    binaries: Mapping[str, str]
    seconds: float
    module: str = ""
    sum: str = ""
    source: str = ""
    late: Mapping[str, float] = field(default_factory=dict)
    version_variables: tuple[str, ...] = ()
    version_arguments: tuple[str, ...] = ("--version",)
    tags: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    replace_with_required: str = ""
    first: tuple[tuple[str, ...], ...] = ()
    cgo: bool = False
    files: tuple[str, ...] = ()
    checksum_database: bool = True
    from_path: bool = True
    stack: bool = True

    @property
    def folder_name(self) -> str:
        """The component's part of the cache's folder name; other versions never meet in one folder."""
        return f"{self.name}-{self.module_version}"


@dataclass(frozen=True)
class Pins:
    """All components, in the order in which a starting stack needs them."""

    components: tuple[Component, ...]
    _by_name: dict[str, Component] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        for component in self.components:
            for binary in component.binaries:
                self._by_name[binary] = component
        for component in self.components:
            self._by_name[component.name] = component

    def find(self, name: str) -> Component | None:
        """The component of this name, or the one that holds a binary of this name."""
        return self._by_name.get(name)

    def select(self, names: Iterable[str]) -> list[Component]:
        """The named components without repetition, in the order of use; all of the stack's for no name.

        Raises UsageError for a name that is neither a component nor a binary.
        """
        wanted = list(names)
        unknown = [name for name in wanted if self.find(name) is None]
        if unknown:
            raise UsageError(
                f"nothing is pinned under the name {', '.join(unknown)}",
                "backends/pins.yaml lists what can be built",
                f"use one of: {', '.join(component.name for component in self.components)}",
            )
        if not wanted:
            return [component for component in self.components if component.stack]
        chosen = {found.name for name in wanted if (found := self.find(name))}
        return [component for component in self.components if component.name in chosen]


def in_order_of_use(components: Sequence[Component]) -> list[Component]:
    """The same work with late binaries moved behind all other components, as components of their own."""
    first, later = [], []
    for component in components:
        needed = {name: package for name, package in component.binaries.items() if name not in component.late}
        if component is components[-1] or needed == component.binaries:
            first.append(component)
            continue
        late = {name: component.binaries[name] for name in component.late}
        first.append(replace(component, binaries=needed))
        later.append(replace(component, binaries=late, seconds=sum(component.late.values())))
    return first + later


def parse(text: str) -> Pins:
    """Pins from the text of a pins file; an unknown or missing key raises TypeError or KeyError."""
    document = yaml.safe_load(text)
    shared = {"toolchain": document["toolchain"], "minimum_go": document["minimum_go"]}
    return Pins(tuple(_component(name, entry, shared) for name, entry in document["components"].items()))


def _component(name: str, entry: Mapping[str, Any], shared: Mapping[str, str]) -> Component:
    fields: dict[str, Any] = {key: _frozen(value) for key, value in entry.items()}
    return Component(name=name, **{**shared, **fields})


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


@cache
def load() -> Pins:
    """The project's own pins, read once per process."""
    return parse(PINS.read_text())
