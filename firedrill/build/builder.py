"""Building components one after another, while the next one's sources are already being fetched."""

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from firedrill.build import failures, store
from firedrill.build.children import CancelledError, Children, end_leftovers
from firedrill.build.events import HEARTBEAT_SECONDS, Event, Kind, Sink
from firedrill.build.gotool import Go
from firedrill.build.pins import Component
from firedrill.build.settings import Settings
from firedrill.build.sources import Fetcher, Sources, log_path
from firedrill.errors import EnvironmentProblem, FiredrillError

RECORD = "children.json"  # in the work folder: what a killed build has left running
LOCK_POLL_SECONDS = 0.25


class Progress:
    """Tells the sink how far one component is, and at least every two seconds that it is still going on."""

    def __init__(self, component: Component, sink: Sink, clock: Callable[[], float]) -> None:
        self._component, self._sink, self._clock = component, sink, clock
        self._begin, self._told = clock(), clock()
        self._phase, self._detail = "", ""

    def tell(self, event: Kind, **fields: str) -> None:
        """Tell `event` now; `fields` are the texts of Event."""
        self._told = self._clock()
        took = self._told - self._begin
        expected = self._component.seconds
        texts = {"phase": self._phase, **fields}
        self._sink(Event(event, self._component.name, seconds=took, expected_seconds=expected, **texts))

    def phase(self, name: str, detail: str = "") -> None:
        self._phase, self._detail = name, detail
        self.tell("phase", detail=detail)

    def detail(self, text: str) -> None:
        self._detail = text

    def tick(self) -> None:
        if self._clock() - self._told >= HEARTBEAT_SECONDS * 0.75:
            self.tell("progress", detail=self._detail)


class Builder:
    """One run over several components. Not to be used twice."""

    def __init__(
        self,
        settings: Settings,
        sink: Sink,
        *,
        is_there: Callable[[Component], bool],
        find_go: Callable[[Component], Go],
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings, self._sink, self._clock, self._pause = settings, sink, clock, pause
        self._is_there, self._find_go = is_there, find_go
        self._children = Children(settings.work / RECORD)
        self.failed: dict[str, FiredrillError] = {}

    def cancel(self) -> None:
        """Stop soon, with all children ended and nothing half-written; safe inside a signal handler."""
        self._children.cancel()

    def run(self, components: Sequence[Component]) -> None:
        """Build what is not there; `failed` holds failures. Raises CancelledError, EnvironmentProblem."""
        if not (missing := self._tell_cached(components)):
            return
        go = self._find_go(missing[0])
        with self._lock(missing):
            if missing := self._tell_cached(missing):  # the builder that we waited for may have built them
                self._sweep()
                try:
                    self._build_all(missing, Fetcher(self._settings, go, self._children, self._clock))
                finally:
                    shutil.rmtree(self._settings.work, ignore_errors=True)

    def _tell_cached(self, components: Sequence[Component]) -> list[Component]:
        missing = []
        for component in components:
            if self._is_there(component):
                Progress(component, self._sink, self._clock).tell("cached")
            else:
                missing.append(component)
        return missing

    @contextmanager
    def _lock(self, missing: Sequence[Component]) -> Iterator[None]:
        """Keep two builders apart. When another one built all that is missing, go on without the lock."""
        try:
            self._settings.cache.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._settings.lock)
            if not self._acquire(lock):
                self._wait_for_other(lock, missing)
        except OSError as error:
            raise EnvironmentProblem(
                f"the cache {self._settings.cache} cannot be written",
                str(error),
                "make it writable for this user, or set FIREDRILL_CACHE to a folder that is",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _acquire(self, lock: FileLock) -> bool:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return False
        return True

    def _wait_for_other(self, lock: FileLock, missing: Sequence[Component]) -> None:
        progress = Progress(missing[0], self._sink, self._clock)
        progress.phase("wait", "another build is running; its result will be used")
        while not self._acquire(lock):
            if self._children.cancelled:
                raise CancelledError
            if all(map(self._is_there, missing)):
                return
            self._pause(LOCK_POLL_SECONDS)
            progress.tick()

    def _sweep(self) -> None:
        """Remove what a killed build has left; only the holder of the lock may."""
        end_leftovers(self._settings.work / RECORD)
        shutil.rmtree(self._settings.work, ignore_errors=True)
        (self._settings.work / "tmp").mkdir(parents=True)
        self._settings.logs.mkdir(parents=True, exist_ok=True)

    def _build_all(self, components: Sequence[Component], fetcher: Fetcher) -> None:
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="fetch") as background:
            futures: dict[str, Future[Sources]] = {}
            try:
                for place, component in enumerate(components):
                    progress = Progress(component, self._sink, self._clock)
                    progress.tell("start")
                    try:
                        if component.name not in futures:
                            futures[component.name] = background.submit(fetcher.fetch, component)
                        sources = self._await(futures.pop(component.name), progress)
                        for following in components[place + 1 : place + 2]:
                            futures[following.name] = background.submit(fetcher.fetch, following)
                        self._compile(sources, fetcher.go, progress)
                        progress.tell("done", path=str(store.folder(self._settings, component)))
                    except (FiredrillError, OSError) as error:
                        if self._note_failure(component, error, progress):
                            break
                    shutil.rmtree(self._settings.work / component.name, ignore_errors=True)
            finally:
                self._children.cancel()  # or leaving the pool would wait for a fetch that nobody needs

    def _await(self, future: Future[Sources], progress: Progress) -> Sources:
        """The fetched sources; tells of the waiting only when they are not there yet."""
        if not future.done():
            progress.phase("download", "sources and their modules")
        while True:
            if self._children.cancelled:
                raise CancelledError
            if wait([future], timeout=LOCK_POLL_SECONDS).done:
                return future.result()
            progress.tick()

    def _compile(self, sources: Sources, go: Go, progress: Progress) -> None:
        component = sources.component
        store.keep_files(self._settings, component, sources.folder)
        for binary in component.binaries:
            if not store.cached(self._settings, component, binary):
                built = self._compile_one(sources, binary, go, progress)
                path = store.install(self._settings, component, binary, built)
                progress.tell("binary", detail=binary, path=str(path))

    def _compile_one(self, sources: Sources, binary: str, go: Go, progress: Progress) -> Path:
        output = self._settings.work / sources.component.name / "out" / binary
        output.parent.mkdir(parents=True, exist_ok=True)
        seen = 0

        def on_line(line: str) -> None:
            nonlocal seen
            seen += not line.startswith(("#", "go: "))
            if line in sources.mains:  # printed when all its packages are there
                progress.phase("link", binary)
            progress.detail(f"{binary}: {seen} of at most {sources.packages} packages")

        progress.phase("compile", binary)
        command = build_command(go, sources, sources.component.binaries[binary], output)
        path = log_path(self._settings, sources.component)
        with path.open("a") as log:
            log.write(f"$ {' '.join(command)}\n")
            code, _ = self._children.run(
                command, folder=sources.folder, environ=go.environment(sources.component), log=log,
                on_line=on_line, tick=progress.tick,
            )  # fmt: skip
        if code:
            raise failures.explain(sources.component, path, step="compile")
        return output

    def _note_failure(self, component: Component, error: Exception, progress: Progress) -> bool:
        """Tell of the failure; True when the next component would meet it too."""
        if not isinstance(error, FiredrillError):
            error = failures.explain_os_error(component, error, self._settings.cache)
        self.failed[component.name] = error
        log = str(log_path(self._settings, component))
        progress.tell("failed", detail=error.what, why=error.why, todo=error.todo, log=log)
        return isinstance(error, failures.FatalBuildError)


def build_command(go: Go, sources: Sources, package: str, output: Path) -> list[str]:
    """The `go build` for one binary of the component, with the version written into it."""
    component = sources.component
    version = component.version
    marks = [f"-X {variable}={version}" for variable in component.version_variables]
    return [
        str(go.command), "build", "-v", "-trimpath", "-buildvcs=false", f"-mod={sources.mode}",
        "-tags", ",".join(component.tags), "-ldflags", " ".join(["-s", "-w", *marks]),
        "-o", str(output), package,
    ]  # fmt: skip
