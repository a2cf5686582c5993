"""A message as the JSON text that the store keeps, and back."""

import dataclasses
import json

from services.inbox.domain import Alert, Kind, Link, Message, Status


def encoded(message: Message) -> str:
    """Everything but the raw payload."""
    return json.dumps(dataclasses.asdict(dataclasses.replace(message, raw=None)))


def decoded(document: str, raw: str) -> Message:
    """The message that `encoded` wrote, with its raw payload."""
    found = json.loads(document)
    return Message(
        **{
            **found,
            "kind": Kind(found["kind"]),
            "status": Status(found["status"]),
            "alertnames": tuple(found["alertnames"]),
            "alerts": tuple(Alert(**{**each, "status": Status(each["status"])}) for each in found["alerts"]),
            "links": tuple(Link(**each) for each in found["links"]),
            "raw": json.loads(raw),
        }
    )
