"""House rules that a machine can read: names, pins, and what must not stand in tracked files."""

import re
from pathlib import Path

import pytest

VAGUE = {"utils", "util", "helpers", "helper", "common", "base", "misc"}
# Joined here, or this file would be its own finding.
REGISTRIES = [".".join(parts) for parts in (
    ("pypi", "org"), ("files", "pythonhosted", "org"), ("proxy", "golang", "org"), ("sum", "golang", "org"),
    ("goproxy", "io"), ("registry", "npmjs", "org"), ("registry-1", "docker", "io"),
)]  # fmt: skip
MACHINE_PATHS = [
    re.compile(rf"(?<![\w.]){root}") for root in ("/" + "work/", "/" + "root/", "/" + "tmp/v311")
]
MARK = "tests/contract/test_style.py"


def readable(files: list[Path]) -> list[tuple[Path, str]]:
    """The tracked files that hold text."""
    found = []
    for path in files:
        try:
            found.append((path, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def test_no_module_has_a_vague_name(files: list[Path]) -> None:
    """A module is named after what it holds."""
    wrong = [str(path) for path in files if path.suffix == ".py" and path.stem in VAGUE]
    wrong += [str(path) for path in files if path.suffix == ".py" and path.parent.name in VAGUE]
    assert not wrong


@pytest.mark.parametrize("name", ["services", "up", "dev", "uv"])
def test_requirements_are_pinned_with_hashes(root: Path, name: str) -> None:
    """Each line of a lock has one exact version and at least one hash, and names no host."""
    text = (root / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert lines
    for line in lines:
        assert re.match(r"^[A-Za-z0-9._-]+(\[[a-z0-9,_-]+\])?==\S+", line), line
        assert "--hash=sha256:" in line, line
    assert "--index-url" not in text
    assert "://" not in re.sub(r"#.*", "", text)


def test_nothing_asks_for_the_latest(files: list[Path]) -> None:
    """A tag, a version or a branch that moves makes two machines differ."""
    wrong = [
        f"{path}: {line.strip()}"
        for path, text in readable(files)
        if path.suffix in (".yml", ".yaml", ".sh", ".toml") or path.name in ("Dockerfile", "Makefile")
        for line in text.splitlines()
        if re.search(r"[:@]latest\b|@(master|main|HEAD)\b", line.split("#")[0])
    ]
    assert not wrong


def test_no_machine_of_ours_and_no_registry_is_named(files: list[Path], root: Path) -> None:
    """Everyone has folders and package mirrors of their own."""
    wrong = [
        f"{path.relative_to(root)}:{number}: {line.strip()[:120]}"
        for path, text in readable(files)
        if path.relative_to(root).as_posix() != MARK
        for number, line in enumerate(text.splitlines(), 1)
        if any(name in line for name in REGISTRIES) or any(one.search(line) for one in MACHINE_PATHS)
    ]
    assert not wrong


def test_no_conflict_marks_or_debris(files: list[Path]) -> None:
    """Nothing of a merge or an editor is left."""
    wrong = [str(path) for path in files if path.suffix in (".orig", ".rej", ".swp", ".pyc")]
    wrong += [str(path) for path, text in readable(files) if re.search(r"^(<{7}|>{7}) ", text, re.M)]
    assert not wrong


def test_modules_say_what_they_hold(files: list[Path], root: Path) -> None:
    """A module begins with a docstring; an empty package marker needs none."""
    wrong = [
        path.relative_to(root).as_posix()
        for path, text in readable(files)
        if path.suffix == ".py" and text.strip() and not re.match(r'\A(#![^\n]*\n)?r?"""', text)
    ]
    assert not wrong


def test_no_test_patches(files: list[Path], root: Path) -> None:
    """Tests go through seams with fakes written by hand."""
    words = ("monkey" + "patch.setattr", "unittest" + ".mock", "mocker" + ".patch")
    wrong = [
        path.relative_to(root).as_posix()
        for path, text in readable(files)
        if path.suffix == ".py" and any(word in text for word in words)
    ]
    assert not wrong


def test_tests_do_not_sleep(files: list[Path], root: Path) -> None:
    """A test waits for a condition; a fixed time is too long on most days and too short on the others.

    Sleeps of ten seconds and more are those of children that only have to be there.
    """
    wrong = [
        f"{path.relative_to(root)}:{number}"
        for path, text in readable(files)
        if path.is_relative_to(root / "tests") and path.suffix == ".py"
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(r"\btime\.sleep\((\d|\d?\.\d+)\)", line) and "#" not in line
    ]
    assert not wrong, "poll_until, or a comment on the line that says why"
