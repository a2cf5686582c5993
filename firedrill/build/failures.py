"""Why a go command failed, told from the last lines of its log, and what the user can do about it."""

import errno
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firedrill.build.pins import Component
from firedrill.errors import BuildError

TAIL_LINES = 12


@dataclass(frozen=True)
class Reason:
    """One kind of failure: how the log shows it, and what to say."""

    pattern: re.Pattern[str]
    what: str
    todo: str
    fatal: bool = False  # the next component would fail in the same way
    only_download: bool = False  # a compiler's message may read alike


REASONS: Sequence[Reason] = (
    Reason(
        re.compile(r"no space left on device|disk quota exceeded", re.I),
        "the disk is full",
        "free some space (a cold build of everything needs up to 14 GB in the Go caches) and run this again",
        fatal=True,
    ),
    Reason(
        re.compile(r"SECURITY ERROR|checksum mismatch", re.I),
        "a download does not have the pinned checksum",
        "do not use this download; look at what the module proxy serves, clean the module cache and retry",
    ),
    Reason(
        re.compile(r"download go1\.[0-9.]+.*(toolchain|for )|toolchain not available", re.I),
        "the Go toolchain could not be fetched",
        "look at `go env GOPROXY` and the network, or install that Go release itself, and run this again",
        fatal=True,
    ),
    Reason(
        re.compile(
            r"\b(401 Unauthorized|403 Forbidden|404 Not Found|410 Gone)|disabled by GOPROXY=off", re.I
        ),
        "the module proxy refuses a module",
        "look at `go env GOPROXY`: it must serve the module named above; or put the finished binary on PATH",
        only_download=True,
    ),
    Reason(
        re.compile(
            r"dial tcp|no such host|connection refused|connection reset|i/o timeout|TLS handshake|x509:|"
            r"proxyconnect|network is unreachable|unexpected EOF|50[0234] (Bad|Service|Internal|Gateway)",
            re.I,
        ),
        "a module could not be downloaded",
        "check the network and `go env GOPROXY`, then run this again; what is already downloaded is kept",
        only_download=True,
    ),
    Reason(
        re.compile(r"C compiler .* not found", re.I),
        "it holds C code, and there is no C compiler",
        "install gcc or clang (on Debian: apt-get install gcc libc6-dev) and run this again",
    ),
    Reason(
        re.compile(r"signal: killed|out of memory|cannot allocate memory", re.I),
        "the compiler was killed, most likely for lack of memory",
        "free some memory (linking takes up to 2 GB) and run this again; what is compiled is kept",
    ),
)


class FatalBuildError(BuildError):
    """A failure that every other component would meet too."""


def explain(component: Component, log: Path, *, step: str) -> BuildError:
    """The error for a failed go command of `step` whose output ends `log`."""
    tail = _tail(log)
    text = "\n".join(tail)
    for reason in REASONS:
        if reason.pattern.search(text) and (step == "download" or not reason.only_download):
            telling = [line for line in tail if reason.pattern.search(line)]
            kind = FatalBuildError if reason.fatal else BuildError
            return kind(
                f"{component.name}: {reason.what}", f"{telling[-1].strip()} (log: {log})", reason.todo
            )
    return BuildError(
        f"{component.name}: go could not {step} it",
        "\n       ".join([f"the last lines of {log}:", *tail]),
        "the sources are pinned, so this should not happen; keep the log and report it, or put the finished "
        f"binary ({', '.join(component.binaries)}) on PATH",
    )


def explain_os_error(component: Component, error: Exception, cache: Path) -> BuildError:
    """The error for a file operation of our own that failed."""
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        reason = REASONS[0]
        return FatalBuildError(f"{component.name}: {reason.what}", str(error), reason.todo)
    return FatalBuildError(
        f"{component.name}: a file could not be written", str(error), f"make {cache} writable for this user"
    )


def wrong_sum(component: Component, got: str) -> BuildError:
    """The error for a module whose content is not the pinned one."""
    return BuildError(
        f"{component.name}: the downloaded {component.module} is not the pinned {component.module_version}",
        f"its hash is {got or 'missing'}, pinned is {component.sum}",
        REASONS[1].todo,
    )


def _tail(log: Path) -> list[str]:
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError as error:
        return [f"(the log cannot be read: {error})"]
    return lines[-TAIL_LINES:]
