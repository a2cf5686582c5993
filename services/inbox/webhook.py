"""The webhook payload of Alertmanager (version 4), and Grafana's likeness of it (version 1), as a message."""

from collections.abc import Iterator

from services.inbox.domain import (
    MOST_ALERTS,
    Alert,
    Json,
    Kind,
    Link,
    Message,
    Refusal,
    RefusedMessageError,
    Status,
    checked_name,
    read_json,
    safe_link,
    text_of,
    texts_of,
    unique_links,
)

_VERSIONS = ("4", "1")
_LINK_ANNOTATIONS = (("runbook_url", "runbook"), ("dashboard_url", "dashboard"))


def parse_webhook(content: bytes, path_receiver: str) -> Message:
    """The message in `content`; the receiver that the payload names wins over that of the path.

    RefusedMessageError for what is not JSON, of no known version, or holds no well-formed alert.
    """
    payload = _payload(content)
    asked = checked_name(path_receiver)
    status = _status(payload.get("status"))
    alerts = tuple(_alerts(payload))
    names = tuple(dict.fromkeys(alert.name for alert in alerts if alert.name))
    labels = texts_of(payload.get("commonLabels"))
    return Message(
        kind=Kind.WEBHOOK,
        receiver=checked_name(text_of(payload.get("receiver")) or asked),
        channel="",
        status=status,
        title=f"{status.value.upper()} {', '.join(names) or 'alert'}",
        text="\n".join(dict.fromkeys(line for alert in alerts for line in _lines(alert) if line)),
        severity=labels.get("severity") or _highest_severity(alerts),
        alertnames=names,
        labels=labels,
        alerts=alerts,
        links=_links(alerts),
        raw=payload,
    )


def _payload(content: bytes) -> dict[str, Json]:
    try:
        payload = read_json(content)
    except ValueError as error:
        raise RefusedMessageError(Refusal.NOT_JSON, f"the body is not JSON: {error}") from None
    if not isinstance(payload, dict):
        raise RefusedMessageError(Refusal.NOT_JSON, "the body is not a JSON object")
    if text_of(payload.get("version")) not in _VERSIONS:
        raise RefusedMessageError(
            Refusal.BAD_VERSION, 'the webhook\'s version must be "4", or Grafana\'s "1"'
        )
    return payload


def _alerts(payload: dict[str, Json]) -> Iterator[Alert]:
    alerts = payload.get("alerts")
    if not isinstance(alerts, list) or not 0 < len(alerts) <= MOST_ALERTS:
        raise RefusedMessageError(Refusal.BAD_ALERTS, f"alerts must be a list of 1 to {MOST_ALERTS}")
    for each in alerts:
        if not isinstance(each, dict) or not isinstance(each.get("labels"), dict):
            raise RefusedMessageError(Refusal.BAD_ALERTS, "each alert must be an object with labels")
        labels = texts_of(each["labels"])
        yield Alert(
            name=labels.get("alertname", ""),
            status=_status(each.get("status")),
            labels=labels,
            annotations=texts_of(each.get("annotations")),
            starts_at=text_of(each.get("startsAt")),
            ends_at=text_of(each.get("endsAt")),
            fingerprint=text_of(each.get("fingerprint")),
            generator_url=text_of(each.get("generatorURL")),
        )


def _status(value: Json) -> Status:
    text = text_of(value)
    if text not in {Status.FIRING.value, Status.RESOLVED.value}:
        raise RefusedMessageError(Refusal.BAD_ALERTS, "status must be firing or resolved")
    return Status(text)


def _lines(alert: Alert) -> Iterator[str]:
    yield alert.annotations.get("summary", "")
    yield alert.annotations.get("description", "")


def _highest_severity(alerts: tuple[Alert, ...]) -> str:
    found = {alert.labels.get("severity", "") for alert in alerts}
    return next((each for each in ("critical", "warning") if each in found), "")


def _links(alerts: tuple[Alert, ...]) -> tuple[Link, ...]:
    candidates = [
        safe_link(label, alert.annotations.get(name, ""))
        for alert in alerts
        for name, label in _LINK_ANNOTATIONS
    ]
    candidates += [safe_link("expression", alert.generator_url) for alert in alerts]
    return unique_links(candidates)
