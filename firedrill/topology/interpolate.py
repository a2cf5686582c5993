"""Variables with compose's own syntax: $V, ${V}, ${V:-default}, ${V:?error}, ${V:+other}, $$."""

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class BadVariableError(ValueError):
    """A variable is not set, or its expression cannot be read; the text says which."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Replace the variables in `text`. Raises BadVariableError for one that is not set and has no default."""
    out: list[str] = []
    at = 0
    while (dollar := text.find("$", at)) >= 0:
        out.append(text[at:dollar])
        value, at = _one(text, dollar + 1, variables)
        out.append(value)
    out.append(text[at:])
    return "".join(out)


def first_variable(text: str) -> str | None:
    """The name of the first variable in `text`, or None: what a user sets to change the value."""
    found = re.search(r"(?<!\$)\$\{?([A-Za-z_][A-Za-z0-9_]*)", text)
    return found.group(1) if found else None


def _one(text: str, at: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """Read what follows a dollar sign at `at`; give its value and where reading goes on."""
    if text.startswith("$", at):
        return "$", at + 1
    if text.startswith("{", at):
        end = _closing_brace(text, at)
        return _braced(text[at + 1 : end], variables), end + 1
    name = _NAME.match(text, at)
    if name is None:
        raise BadVariableError(f"a single $ in {text!r}; write $$ for the character itself")
    return _plain(name.group(), variables), name.end()


def _closing_brace(text: str, opening: int) -> int:
    depth = 0
    for at in range(opening, len(text)):
        if text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at
    raise BadVariableError(f"${{ without its }} in {text!r}")


def _braced(body: str, variables: Mapping[str, str]) -> str:
    name = _NAME.match(body)
    if name is None:
        raise BadVariableError(f"${{{body}}} does not begin with a variable's name")
    key, rest = name.group(), body[name.end() :]
    if not rest:
        return _plain(key, variables)
    empty_counts = rest.startswith(":")
    operator, argument = (rest[1:2], rest[2:]) if empty_counts else (rest[:1], rest[1:])
    value = variables.get(key)
    is_set = bool(value) if empty_counts else value is not None
    if operator == "-":
        return str(value) if is_set else interpolate(argument, variables)
    if operator == "+":
        return interpolate(argument, variables) if is_set else ""
    if operator == "?":
        if not is_set:
            raise BadVariableError(
                f"{key} is not set: {interpolate(argument, variables) or 'a value is required'}"
            )
        return str(value)
    raise BadVariableError(f"${{{body}}} has an operator that compose does not have")


def _plain(name: str, variables: Mapping[str, str]) -> str:
    if name not in variables:
        raise BadVariableError(f"{name} is not set and has no default")
    return variables[name]
