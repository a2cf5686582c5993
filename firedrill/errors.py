"""What can go wrong, in words that a user can act on.

FiredrillError
├── UsageError          a wrong flag, an unknown system or name; exit code 2
├── TopologyError       docker-compose.yml or a config cannot be read or holds what we do not know
├── EnvironmentProblem  the machine lacks something: a port, memory, disk, a package, a tool
├── BuildError          a component could not be built
├── StartError          a process did not start or become ready
├── NotRunning          a command needs the running stack and there is none
└── CheckFailed         verify, drill or check found what it looks for
"""


class FiredrillError(Exception):
    """An error with a cause and a next step; `str()` gives the three lines that the command prints."""

    exit_code = 1

    def __init__(self, what: str, why: str = "", todo: str = "") -> None:
        self.what, self.why, self.todo = what, why, todo
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.todo:
            lines.append(f"  do:  {self.todo}")
        return "\n".join(lines)


class UsageError(FiredrillError):
    """The command line asks for something that does not exist."""

    exit_code = 2


class TopologyError(FiredrillError):
    """docker-compose.yml or a config file cannot be used."""


class EnvironmentProblem(FiredrillError):
    """The machine lacks something that the stack needs."""


class BuildError(FiredrillError):
    """A component could not be built from its pinned module."""


class StartError(FiredrillError):
    """A process did not start or did not become ready."""


class NotRunning(FiredrillError):
    """The command needs the running stack."""


class CheckFailed(FiredrillError):
    """A check or a drill failed."""
