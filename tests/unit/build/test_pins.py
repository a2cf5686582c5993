"""The project's pins: complete, sane, and the same as what the Collector's own files say."""

import re
from pathlib import Path

import pytest
import yaml

from firedrill.build import pins
from firedrill.errors import UsageError

ORDER = [
    "prometheus", "alertmanager", "node_exporter", "collector", "jaeger", "loki", "promtail",
    "postgres_exporter", "redis_exporter", "tempo",
    "docker-compose", "loki-of-image", "grafana-server",
]  # fmt: skip
OTHER_TOOLCHAINS = {"grafana-server": "go1.21.13"}  # of 2023; newer ones refuse one of its modules
COLLECTOR = pins.ROOT / "backends" / "collector"


def components() -> tuple[pins.Component, ...]:
    return pins.load().components


def test_components_are_listed_in_the_order_in_which_a_starting_stack_needs_them() -> None:
    """The builder works in this order, so the first line decides what is usable first."""
    assert [component.name for component in components()] == ORDER


@pytest.mark.parametrize("component", components(), ids=lambda component: component.name)
def test_every_component_has_exactly_one_origin_and_a_hash_for_a_foreign_one(
    component: pins.Component,
) -> None:
    """Nothing foreign is compiled that is not vouched for by a hash in this repository."""
    assert bool(component.module) != bool(component.source)
    assert re.fullmatch(r"v\d+\.\d+\.\d+(-[0-9a-z.-]+)?", component.module_version)
    assert re.fullmatch(r"\d+\.\d+\.\d+", component.version)
    if component.module:
        assert re.fullmatch(r"h1:[A-Za-z0-9+/]{43}=", component.sum)
    else:
        assert (pins.ROOT / component.source / "go.sum").is_file()


@pytest.mark.parametrize("component", components(), ids=lambda component: component.name)
def test_every_component_names_its_binaries_and_a_time(component: pins.Component) -> None:
    """Progress needs an expectation, and a package path is relative to the module."""
    assert component.binaries
    assert all(package == "." or package.startswith("./") for package in component.binaries.values())
    assert 1 <= component.seconds <= 600
    assert component.toolchain == OTHER_TOOLCHAINS.get(component.name, "go1.27.3")


def test_no_binary_belongs_to_two_components() -> None:
    """A binary's name finds its component."""
    names = [binary for component in components() for binary in component.binaries]
    assert len(names) == len(set(names))


def test_selecting_by_binary_or_component_gives_each_component_once_in_order() -> None:
    """`firedrill build promtool loki prometheus` builds two components, Prometheus first."""
    assert [found.name for found in pins.load().select(["promtool", "loki", "prometheus"])] == [
        "prometheus",
        "loki",
    ]


def test_selecting_nothing_means_the_stack_without_the_tests_tools() -> None:
    """Nobody who runs the stack needs docker-compose built."""
    assert [found.name for found in pins.load().select([])] == ORDER[:-3]


def test_an_unknown_name_is_refused_with_the_names_that_exist() -> None:
    """A user's typing error says what could have been meant."""
    with pytest.raises(UsageError, match="grafana") as caught:
        pins.load().select(["grafana"])
    assert "prometheus" in str(caught.value)


def test_a_misspelt_key_in_the_pins_is_refused() -> None:
    """A silently ignored `tag:` would build something else than what is written."""
    with pytest.raises(TypeError, match="tag"):
        pins.parse(
            "toolchain: go1\nminimum_go: '1.21'\ncomponents:\n  a: {module: m, module_version: v1, sum: s, "
            "version: 1.0.0, binaries: {a: .}, seconds: 1, tag: x}\n"
        )


def test_the_collectors_manifest_and_its_committed_modules_agree() -> None:
    """components.go and go.mod were generated from manifest.yaml; editing one alone is noticed."""
    manifest = yaml.safe_load((COLLECTOR / "manifest.yaml").read_text())
    gomod = (COLLECTOR / "go.mod").read_text()
    sources = (COLLECTOR / "components.go").read_text() + (COLLECTOR / "main.go").read_text()
    parts = [
        entry["gomod"] for kind, entries in manifest.items() if isinstance(entries, list) for entry in entries
    ]
    assert len(parts) >= 12
    for part in parts:
        assert f"\t{part}" in gomod
        assert f'"{part}"' in sources
    assert f"v{manifest['dist']['version']}" == pins.load().select(["otelcol"])[0].module_version


def test_the_collectors_go_mod_does_not_ask_for_more_than_the_pinned_toolchain() -> None:
    """Its `go` line must be satisfied by the one toolchain that everything is built with."""
    (line,) = re.findall(r"^go (\S+)$", Path(COLLECTOR / "go.mod").read_text(), re.M)
    assert f"go{line}" == pins.load().select(["otelcol"])[0].toolchain


def test_a_tool_that_is_not_served_is_built_after_all_other_components() -> None:
    """promtool costs half a minute which would delay every component behind Prometheus."""
    chosen = pins.load().select(["prometheus", "alertmanager", "loki"])
    work = [(part.name, *part.binaries) for part in pins.in_order_of_use(chosen)]
    assert work == [
        ("prometheus", "prometheus"), ("alertmanager", "alertmanager", "amtool"), ("loki", "loki"),
        ("prometheus", "promtool"),
    ]  # fmt: skip
    (alone,) = pins.in_order_of_use(chosen[:1])
    assert list(alone.binaries) == ["prometheus", "promtool"]
