"""Where planted secrets are searched for, and the checks that find their markers and none of them."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import httpx

from firedrill.clients import Backend, Jaeger, Loki, Tempo
from firedrill.switches import PROMTAIL
from firedrill.verify.canaries import Canaries
from firedrill.verify.check import Check, Missing, Seen
from firedrill.verify.logfiles import LogFiles
from firedrill.verify.planted import kinds_in

# A service's own lines and spans come at once; what it does later, in traces of its own, is looked at too.
RECENT_TRACES = 50
LARGEST_ANSWER_LINES = 5000
_REFUSED = 400
_TODO = "find who wrote it, and let the value pass the masker (telemetry/masking.py) before it leaves"

Texts = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Places:
    """The started backends in which secrets could have landed; None is not started."""

    loki: Loki | None = None
    jaeger: Jaeger | None = None
    tempo: Tempo | None = None
    inbox: Backend | None = None
    files: LogFiles | None = None
    shipper: str = PROMTAIL


def checks_of(canaries: Canaries, places: Places, *, http: httpx.Client) -> list[Check]:
    """The sending, and one check for each place; empty without a service to send to."""
    if not canaries.targets:
        return []
    services = tuple(target.service for target in canaries.targets)
    found = [Check("canaries: sent", canaries.attempt, services)]

    def add(name: str, place: str, read: Callable[[], Texts], *needs: str) -> None:
        search = _Search(canaries, name, place, read)
        found.append(Check(f"canaries: {name}", search.attempt, (*services, *needs)))

    if (loki := places.loki) is not None:
        add("loki", "logs", lambda: loki_texts(canaries, loki), places.shipper, "loki")
    if (files := places.files) is not None:
        add("log files", "logs", files.gained)
    if (jaeger := places.jaeger) is not None:
        add("jaeger", "traces", lambda: jaeger_texts(canaries, jaeger), "collector", "jaeger")
    if (tempo := places.tempo) is not None:
        add("tempo", "traces", lambda: tempo_texts(canaries, tempo), "collector", "tempo")
    if (inbox := places.inbox) is not None:
        add("inbox", "inbox", lambda: inbox_texts(canaries, inbox), "inbox")
    add("error answers", "answer", lambda: refusal_texts(canaries))
    add("metrics", "metrics", lambda: metric_texts(canaries, http))
    return found


class _Search:
    """One place: every marker that belongs there must be found, and no secret."""

    def __init__(self, canaries: Canaries, name: str, place: str, read: Callable[[], Texts]) -> None:
        self._canaries, self._name, self._place, self._read = canaries, name, place, read

    def attempt(self) -> Seen | Missing:
        """Read the place once; a secret that was found ends the check at once."""
        canaries = self._canaries
        if not canaries.sent:
            return Missing("the canaries have not all been sent, see the check `canaries: sent`")
        wanted = canaries.markers(self._place)
        absent, count = dict(wanted), 0
        for name, text in self._read():
            count += 1
            if kinds := kinds_in(text, canaries.planted):
                return Missing(f"found in {name}: {self._told(text, kinds)}", todo=_TODO, final=True)
            absent = {marker: way for marker, way in absent.items() if marker not in text}
        if absent:
            ways = ", ".join(sorted(absent.values())[:8])
            return Missing(
                f"the markers of {len(absent)} of {len(wanted)} requests are not there (yet): {ways}",
                todo="without them the search proves nothing; see the logs of log shipper and collector",
                final=self._place == "answer",  # nothing comes later
            )
        proof = f"{len(wanted)} markers found, " if wanted else ""
        return Seen(f"{proof}none of the secrets in {count} texts")

    def _told(self, text: str, kinds: Sequence[str]) -> str:
        """What was found, with the request that it came with where that can be told, and its surroundings."""
        ways = [f"{one.service} {one.channel}" for one in self._canaries.sent if one.marker in text]
        first = next(secret for secret in self._canaries.planted if secret.kind == kinds[0])
        at = min(text.find(part) for part in first.parts if part in text)
        around = text[max(0, at - 60) : at + 40].replace("\n", " ")
        sent_by = f", sent by {', '.join(ways[:5])}" if ways else ""
        return f"{', '.join(kinds)}{sent_by}: ...{around}..."


def loki_texts(canaries: Canaries, loki: Loki) -> Iterator[tuple[str, str]]:
    """Every line since the sending that holds a marker or a part of a secret, whatever its labels are."""
    wanted = [part for secret in canaries.planted for part in secret.parts]
    wanted += [one.marker for one in canaries.sent]
    begin, end = canaries.since - 1, time.time() + 5
    pattern = "|".join(wanted)  # letters, digits and dashes alone
    for label in loki.labels(start=begin, end=end) or ("service",):
        logql = f'{{{label}=~".+"}} |~ `{pattern}`'
        for line in loki.search(logql, start=begin, end=end, limit=LARGEST_ANSWER_LINES).lines:
            kept = " ".join([line.text, *line.labels.values(), *line.metadata.values()])
            yield f"Loki, {line.labels.get('service', '?')}", kept


def jaeger_texts(canaries: Canaries, jaeger: Jaeger) -> Iterator[tuple[str, str]]:
    """The canaries' own traces whole, and the services' newest ones since the sending."""
    for service, trace_id in canaries.traces.items():
        yield f"Jaeger, trace {trace_id} of {service}", jaeger.text_of(trace_id)
    for service in jaeger.services():
        text = jaeger.recent_text(service, start=canaries.since, end=time.time() + 5, limit=RECENT_TRACES)
        yield f"Jaeger, the newest traces of {service}", text


def tempo_texts(canaries: Canaries, tempo: Tempo) -> Iterator[tuple[str, str]]:
    """The canaries' own traces whole."""
    for service, trace_id in canaries.traces.items():
        yield f"Tempo, trace {trace_id} of {service}", tempo.text_of(trace_id)


def inbox_texts(canaries: Canaries, inbox: Backend) -> Iterator[tuple[str, str]]:
    """Every message since the sending, with its payload as it came."""
    listed = inbox.get("/api/v1/messages", {"since": canaries.since, "limit": 1000})
    for message in listed["messages"]:
        whole = inbox.get(f"/api/v1/messages/{message['id']}")
        yield f"the inbox, message {message['id']}", json.dumps([message, whole], ensure_ascii=False)


def refusal_texts(canaries: Canaries) -> Iterator[tuple[str, str]]:
    """The answers that refused a request; one that takes it may give the caller his own values back."""
    for one in canaries.sent:
        if one.status >= _REFUSED:
            yield f"the answer HTTP {one.status} of {one.service} to a {one.channel}", one.answer


def metric_texts(canaries: Canaries, http: httpx.Client) -> Iterator[tuple[str, str]]:
    """What each service exposes: a secret in a label would be kept for weeks."""
    for target in canaries.targets:
        try:
            text = http.get(f"{target.url.rstrip('/')}/metrics").text
        except httpx.HTTPError:
            continue  # its target's check says so
        yield f"/metrics of {target.service}", text
