"""Signed session tokens: nothing is stored, so log-ins survive Redis, PostgreSQL and restarts."""

import base64
import binascii
import hashlib
import hmac
import struct
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from services.ecommerce.domain import Buyer

LIFETIME_SECONDS: Final = 12 * 3600
_HEAD: Final = struct.Struct(">16sII")  # user, valid until, registered at: seconds since 1970
_MAC_BYTES: Final = 16
_GUESTS: Final = uuid.UUID("b0c1b1a4-6a0a-4f0c-8a3e-8c1f5b8f1d11")


class Sessions:
    """Makes and reads tokens and confirmation codes. `key` is shared by all replicas."""

    def __init__(self, key: bytes, *, wall: Callable[[], float] = time.time) -> None:
        self._key, self._wall = key, wall

    def token(self, buyer: Buyer) -> str:
        """A token for a registered user, valid for LIFETIME_SECONDS."""
        since = int(buyer.since.timestamp()) if buyer.since else 0
        head = _HEAD.pack(buyer.id.bytes, int(self._wall()) + LIFETIME_SECONDS, since)
        content = head + buyer.email_domain.encode()
        return base64.urlsafe_b64encode(content + self._mac(b"session", content)).decode().rstrip("=")

    def buyer(self, token: str) -> Buyer | None:
        """Who a token was made for; None when it is not ours or too old."""
        try:
            content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (binascii.Error, ValueError):
            return None
        content, mac = content[:-_MAC_BYTES], content[-_MAC_BYTES:]
        if len(content) < _HEAD.size or not hmac.compare_digest(mac, self._mac(b"session", content)):
            return None
        user, until, since = _HEAD.unpack_from(content)
        if until <= self._wall():
            return None
        domain = content[_HEAD.size :].decode()
        return Buyer(uuid.UUID(bytes=user), domain, datetime.fromtimestamp(since, UTC))

    def code(self, payment_id: uuid.UUID) -> str:
        """The six digits that confirm a payment; a real shop would send them to the customer's phone."""
        number = int.from_bytes(self._mac(b"confirm", payment_id.bytes)[:8], "big")
        return f"{number % 1_000_000:06d}"

    def _mac(self, purpose: bytes, content: bytes) -> bytes:
        return hmac.digest(self._key, purpose + b"\x00" + content, hashlib.sha256)[:_MAC_BYTES]


def guest(email: str) -> Buyer:
    """A guest is known by the e-mail address: the same one, the same buyer."""
    lower = email.lower()
    return Buyer(uuid.uuid5(_GUESTS, lower), lower.rpartition("@")[2])
