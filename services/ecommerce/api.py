"""Routes of the shop: parse, call, record, respond."""

import uuid
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from services.ecommerce.catalogue import PAGE
from services.ecommerce.checkout import Asked
from services.ecommerce.domain import Buyer, Line, User, fingerprint, total
from services.ecommerce.ports import (
    BusyError,
    OrderView,
)
from services.ecommerce.schemas import (
    Code,
    Login,
    Purchase,
    Quantity,
    Registration,
    address_of,
    body_of,
    key_of,
    parsed,
    read_product_id,
    uuid_of,
)
from services.ecommerce.sessions import Sessions, guest
from services.ecommerce.shop import Shop, unauthorized
from telemetry.errors import ClientError
from telemetry.logs import bind
from telemetry.text import SafeText

Limit = Annotated[int, Query(ge=1, le=100)]
_KEY_HEADER: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 128},
}


def routes(shop: Shop) -> APIRouter:
    """Everything below /api/v1."""
    router = APIRouter(prefix="/api/v1")
    _catalogue_routes(router, shop)
    _user_routes(router, shop)
    _cart_routes(router, shop)
    _checkout_routes(router, shop)
    _order_routes(router, shop)
    return router


def _catalogue_routes(router: APIRouter, shop: Shop) -> None:
    @router.get("/products", summary="A page of products")
    async def browse(
        category: Annotated[str | None, Query(pattern="^[a-z]{1,32}$")] = None,
        limit: Limit = PAGE,
        offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
    ) -> Response:
        shop.require()
        return _json(await shop.catalogue.page(category=category, limit=limit, offset=offset))

    @router.get("/products/search", summary="Products whose name or description contains a text")
    async def search(
        q: Annotated[SafeText, Query(min_length=1, max_length=64)], limit: Limit = PAGE
    ) -> Response:
        shop.require()
        return _json(await shop.catalogue.search(q, limit=limit))

    @router.get("/products/{product_id}", summary="One product")
    async def product(product_id: str) -> Response:
        shop.require()
        return _json(await shop.catalogue.product(read_product_id(product_id)))


def _user_routes(router: APIRouter, shop: Shop) -> None:
    @router.post("/users/register", status_code=201, openapi_extra=body_of(Registration), summary="Register")
    async def register(request: Request) -> dict[str, Any]:
        wanted = await parsed(request, Registration)
        sessions = shop.sessions
        hashed = await _hashing(shop.passwords.hash(wanted.password))
        user = User(uuid.uuid4(), wanted.email, wanted.name, hashed, shop.now())
        with bind(user_id=str(user.id)):
            if not await shop.accounts.add(user):
                raise ClientError(409, "email_taken", "this e-mail address is registered: log in")
            shop.signals.registered()
        return _session(sessions, shop, user)

    @router.post("/users/login", openapi_extra=body_of(Login), summary="Log in")
    async def login(request: Request) -> dict[str, Any]:
        wanted = await parsed(request, Login)
        sessions = shop.sessions
        user = await shop.accounts.by_email(wanted.email)
        right = await _hashing(shop.passwords.fits(wanted.password, user.password_hash if user else None))
        if user is None or not right:
            shop.signals.login_failed()
            raise unauthorized("e-mail address or password is wrong")
        with bind(user_id=str(user.id)):
            shop.signals.logged_in()
        return _session(sessions, shop, user)

    @router.get("/users/me", summary="Who a token belongs to")
    async def me(request: Request) -> dict[str, Any]:
        buyer = shop.buyer(request)
        with bind(user_id=str(buyer.id)):
            return {"user_id": str(buyer.id), "since": buyer.since.isoformat() if buyer.since else None}


def _cart_routes(router: APIRouter, shop: Shop) -> None:
    @router.get("/cart", summary="The cart at today's prices")
    async def cart(request: Request) -> dict[str, Any]:
        buyer = shop.buyer(request)
        with bind(user_id=str(buyer.id)):
            lines = await shop.accounts.cart(buyer.id)
        return {"items": [_line(line) for line in lines], "amount": total(lines), "currency": "KRW"}

    @router.put("/cart/items/{product_id}", openapi_extra=body_of(Quantity), summary="Set a quantity")
    async def put(request: Request, product_id: str) -> dict[str, Any]:
        buyer = shop.buyer(request)
        product, wanted = read_product_id(product_id), await parsed(request, Quantity)
        with bind(user_id=str(buyer.id)):
            if not await shop.accounts.put(buyer.id, product, wanted.quantity):
                raise ClientError(404, "unknown_product", "no such product, or no room for it in the cart")
        return {"product_id": product, "quantity": wanted.quantity}


def _checkout_routes(router: APIRouter, shop: Shop) -> None:
    described = body_of(Purchase, parameters=(_KEY_HEADER,))

    @router.post("/checkout", status_code=201, openapi_extra=described, summary="Buy and pay, once a key")
    async def buy(request: Request) -> Response:
        wanted = await parsed(request, Purchase)
        checkout, buyer = shop.checkout, shop.known(request)
        if buyer is None:
            if wanted.email is None:
                raise unauthorized("log in, or send an e-mail address to buy as a guest")
            if wanted.items is None:
                raise ClientError(422, "invalid_request", "items: a guest has no cart; send items")
            buyer = guest(wanted.email)
            shop.signals.seen(buyer.id)
        asked = Asked(
            buyer,
            key_of(request, wanted.idempotency_key),
            wanted.payment_method,
            wanted.wanted(),
            wanted.circumstances(address_of(request)),
            fingerprint(wanted.meaning()),
        )
        with bind(user_id=str(buyer.id)):
            kept = await checkout.buy(asked)
        if kept.status_code >= 400:
            raise ClientError(
                kept.status_code, "payment_declined", f"the payment was declined; order {kept.order_id}"
            )
        return JSONResponse(dict(kept.answer), kept.status_code)

    @router.post(
        "/payments/{payment_id}/confirm", openapi_extra=body_of(Code), summary="Confirm a pending payment"
    )
    async def confirm(request: Request, payment_id: str) -> dict[str, Any]:
        payment, wanted = uuid_of(payment_id, what="payment"), await parsed(request, Code)
        right = wanted.code == shop.sessions.code(payment)
        found = await shop.books.confirm(payment, right=right)
        if found is None:
            raise ClientError(404, "unknown_payment", "no such payment")
        if found.settled is not None:
            shop.signals.settled(found.settled)
        if found.status == "failed":
            raise ClientError(402, "payment_declined", f"the payment was declined; order {found.order_id}")
        if found.status == "pending" and found.reason == "authentication":
            raise ClientError(403, "wrong_code", "this is not the code")
        if found.status == "pending":
            raise ClientError(409, "in_review", "the payment waits for a review, not for a code")
        return {"payment_id": str(payment), "order_id": str(found.order_id), "status": found.status}


def _order_routes(router: APIRouter, shop: Shop) -> None:
    @router.get("/orders", summary="One's own orders, newest first")
    async def many(request: Request, limit: Limit = PAGE) -> dict[str, Any]:
        buyer = shop.buyer(request)
        with bind(user_id=str(buyer.id)):
            found = await shop.books.orders(buyer.id, limit=limit)
        return {"orders": [_order(order) for order in found]}

    @router.get("/orders/{order_id}", summary="One of one's own orders")
    async def one(request: Request, order_id: str) -> dict[str, Any]:
        buyer, wanted = shop.buyer(request), uuid_of(order_id, what="order")
        with bind(user_id=str(buyer.id)):
            order = await shop.books.order(wanted)
        if order is None or order.buyer != buyer.id:
            raise ClientError(404, "unknown_order", "no such order")
        shown: dict[str, Any] = {**_order(order), "lines": [_line(line) for line in order.lines]}
        if order.payment_status == "pending" and order.payment_reason == "authentication":
            shown["confirm"] = shop.checkout.confirmation(order.payment_id)
        return shown

    @router.get("/orders/{order_id}/status", summary="Where an order is, for whoever has its id")
    async def status(order_id: str) -> dict[str, Any]:
        wanted = uuid_of(order_id, what="order")
        shop.require()
        order = await shop.books.order(wanted)
        if order is None:
            raise ClientError(404, "unknown_order", "no such order")
        return {
            "order_id": str(order.id),
            "status": order.status,
            "payment_status": order.payment_status,
            "updated_at": order.updated_at.isoformat(),
        }


async def _hashing(work: Any) -> Any:
    try:
        return await work
    except BusyError:
        raise ClientError(
            429, "too_many_requests", "too many log-ins at once; try again", headers={"Retry-After": "2"}
        ) from None


def _session(sessions: Sessions, shop: Shop, user: User) -> dict[str, Any]:
    shop.signals.seen(user.id)
    buyer = Buyer(user.id, user.email.rpartition("@")[2], user.created_at)
    return {"user_id": str(user.id), "token": sessions.token(buyer), "token_type": "bearer"}


def _json(body: bytes) -> Response:
    return Response(body, media_type="application/json")


def _line(line: Line) -> Mapping[str, object]:
    return {**vars(line), "amount": line.amount}


def _order(order: OrderView) -> dict[str, Any]:
    return {
        "order_id": str(order.id),
        "status": order.status,
        "amount": order.amount,
        "currency": "KRW",
        "items": order.items,
        "created_at": order.created_at.isoformat(),
        "updated_at": order.updated_at.isoformat(),
        "payment_id": str(order.payment_id),
        "payment_status": order.payment_status,
        "payment_reason": order.payment_reason,
        "payment_method": order.payment_method,
    }
