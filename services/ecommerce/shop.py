"""What the routes share: the parts they call, who asks, and whether the shop is open."""

from collections.abc import Callable
from datetime import datetime

from fastapi import Request

from services.ecommerce.catalogue import CachedCatalogue
from services.ecommerce.checkout import Checkout
from services.ecommerce.domain import Buyer
from services.ecommerce.ports import Accounts, Books, Passwords, StoreUnavailableError
from services.ecommerce.sessions import Sessions
from services.ecommerce.signals import Signals
from telemetry.errors import ClientError


class Shop:
    """What the routes share; `sessions` is there once the database is prepared."""

    def __init__(
        self,
        catalogue: CachedCatalogue,
        accounts: Accounts,
        books: Books,
        passwords: Passwords,
        signals: Signals,
        *,
        checkout: Callable[[Sessions], Checkout],
        now: Callable[[], datetime],
    ) -> None:
        self.catalogue, self.accounts, self.books = catalogue, accounts, books
        self.passwords, self.signals, self.now = passwords, signals, now
        self._make_checkout = checkout
        self._open: tuple[Sessions, Checkout] | None = None

    def open(self, key: bytes) -> None:
        """Begin serving: schema and seed data are there, and tokens are signed with `key`."""
        sessions = Sessions(key)
        self._open = (sessions, self._make_checkout(sessions))
        self.signals.prepared()

    @property
    def sessions(self) -> Sessions:
        """Raises StoreUnavailableError before the shop is open."""
        return self.require()[0]

    @property
    def checkout(self) -> Checkout:
        """Raises StoreUnavailableError before the shop is open."""
        return self.require()[1]

    def require(self) -> tuple[Sessions, Checkout]:
        """What is there once the shop is open; StoreUnavailableError before."""
        if self._open is None:
            raise StoreUnavailableError("the shop is not prepared yet")
        return self._open

    def known(self, request: Request) -> Buyer | None:
        """Who asks, by the bearer token; None without one. ClientError for a wrong or old one."""
        header = request.headers.get("authorization")
        if header is None:
            return None
        scheme, _, token = header.partition(" ")
        buyer = self.sessions.buyer(token.strip()) if scheme.lower() == "bearer" else None
        if buyer is None:
            raise unauthorized("the token is not valid, or not any more: log in again")
        self.signals.seen(buyer.id)
        return buyer

    def buyer(self, request: Request) -> Buyer:
        """Who asks; ClientError when that is not said."""
        buyer = self.known(request)
        if buyer is None:
            raise unauthorized("log in, and send the token as `Authorization: Bearer ...`")
        return buyer


def unauthorized(message: str) -> ClientError:
    """A 401 answer."""
    return ClientError(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})
