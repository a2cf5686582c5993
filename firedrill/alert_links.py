"""The links in alerts, led to where the pages of this stack really are."""

from collections.abc import Collection, Mapping

INBOX, GRAFANA = "http://127.0.0.1:8090", "http://127.0.0.1:3002"
"""As the rules write them: where nothing was moved, in docker."""
_RUNBOOKS, _BOARDS = f"{INBOX}/runbooks/", f"{GRAFANA}/d/"

Ports = Mapping[str, Mapping[int, int]]


def moved_links(text: str, ports: Ports, started: Collection[str]) -> str:
    """`text` of a rule file with its links at the published ports: `ports` per service container → host.

    Without Grafana the dashboards are the console's, which takes the same paths.
    """
    boards = "grafana" if "grafana" in started else "console"
    for written, service in ((_RUNBOOKS, "inbox"), (_BOARDS, boards)):
        if own := ports.get(service):
            page = f"http://127.0.0.1:{next(iter(own.values()))}"
            text = text.replace(written, page + written[written.index("/", len("http://")) :])
    return text
