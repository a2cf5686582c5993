"""What callers may send, and how it is read: bounded, strict, and answered with 4xx JSON when it is wrong."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

from fastapi import Request
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from services.ecommerce.domain import MOST_LINES, MOST_OF_ONE, PaymentMethod, merged
from telemetry.errors import ClientError
from telemetry.text import SafeText

LARGEST_BODY_BYTES: Final = 32_768
PRODUCT_ID: Final = r"^[a-z0-9][a-z0-9\-]{0,31}$"
KEY: Final = r"^[\x21-\x7e]{1,128}$"
_TEXT = r"^[^\x00-\x1f\x7f]+$"
_EMAIL: Final = re.compile(
    r"[^@\s\x00-\x1f\x7f]{1,64}@(?:[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}"
)

M = TypeVar("M", bound=BaseModel)


def _an_address(value: str) -> str:
    lower = value.strip().lower()
    if len(lower) > 254 or not _EMAIL.fullmatch(lower):
        raise ValueError("must be an e-mail address")
    return lower


Email = Annotated[SafeText, Field(max_length=254), AfterValidator(_an_address)]
Name = Annotated[SafeText, Field(min_length=1, max_length=80, pattern=_TEXT)]
Country = Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9]$")]
ProductId = Annotated[str, Field(pattern=PRODUCT_ID)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Registration(_Body):
    """A new user."""

    email: Email
    password: Annotated[SafeText, Field(min_length=8, max_length=128)]
    name: Name = "Customer"


class Login(_Body):
    """A user's credentials."""

    email: Email
    password: Annotated[SafeText, Field(min_length=1, max_length=128)]


class Quantity(_Body):
    """How many of a product are wanted in the cart; 0 takes it out."""

    quantity: Annotated[int, Field(ge=0, le=MOST_OF_ONE)]


class Item(_Body):
    """A product and how many of it."""

    product_id: ProductId
    quantity: Annotated[int, Field(ge=1, le=MOST_OF_ONE)] = 1


class Purchase(_Body):
    """A purchase: of `items`, or else of the cart. A guest gives an e-mail address instead of logging in.

    The key that makes it happen once comes in the header Idempotency-Key, or as `idempotency_key`.
    """

    items: Annotated[list[Item] | None, Field(min_length=1, max_length=MOST_LINES)] = None
    payment_method: PaymentMethod = "credit_card"
    idempotency_key: Annotated[str | None, Field(pattern=KEY)] = None
    email: Email | None = None
    device_id: Annotated[SafeText | None, Field(min_length=1, max_length=128, pattern=_TEXT)] = None
    card_id: Annotated[SafeText | None, Field(min_length=1, max_length=128, pattern=_TEXT)] = None
    country: Country | None = None
    shipping_country: Country | None = None
    billing_country: Country | None = None

    @model_validator(mode="after")
    def _not_too_many(self) -> "Purchase":
        if any(quantity > MOST_OF_ONE for quantity in (self.wanted() or {}).values()):
            raise ValueError(f"no more than {MOST_OF_ONE} of one product")
        return self

    def wanted(self) -> dict[str, int] | None:
        """Quantities by product; None for the cart."""
        return None if self.items is None else merged([(one.product_id, one.quantity) for one in self.items])

    def circumstances(self, ip: str | None) -> Mapping[str, object]:
        """What fds is told besides the purchase itself."""
        names = ("device_id", "card_id", "country", "shipping_country", "billing_country")
        return {"ip": ip, **{name: getattr(self, name) for name in names}}

    def meaning(self) -> Mapping[str, object]:
        """What must be the same under the same key."""
        return {"items": self.wanted(), "method": self.payment_method}


class Code(_Body):
    """The code that confirms a payment."""

    code: Annotated[str, Field(pattern=r"^[0-9]{6}$")]


async def parsed(request: Request, model: type[M]) -> M:
    """The body as `model`. Read here and not by the framework, so that its size is bounded."""
    content = b""
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST_BODY_BYTES:
            raise ClientError(413, "too_large", f"the body is larger than {LARGEST_BODY_BYTES} bytes")
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        # Never the values themselves: they may be secret, and they may not be text that JSON can carry.
        found = error.errors(include_url=False, include_context=False, include_input=False)[:5]
        told = "; ".join(f"{_place(each['loc'])}: {_reason(each['msg'])}" for each in found)
        raise ClientError(422, "invalid_request", told[:500]) from None


def body_of(model: type[BaseModel], *, parameters: tuple[Mapping[str, Any], ...] = ()) -> dict[str, Any]:
    """What OpenAPI says of a route that reads its body with `parsed`."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    inlined = _inlined(schema, schema.pop("$defs", {}))
    extra: dict[str, Any] = {
        "requestBody": {"required": True, "content": {"application/json": {"schema": inlined}}}
    }
    return {**extra, "parameters": [dict(one) for one in parameters]} if parameters else extra


def read_product_id(text: str) -> str:
    """The id of a product in a path; 404 for what cannot be one."""
    if not re.fullmatch(PRODUCT_ID, text):
        raise ClientError(404, "unknown_product", "no such product")
    return text


def uuid_of(text: str, *, what: str) -> UUID:
    """The id of an order or payment in a path; 404 for what cannot be one."""
    try:
        if len(text) == 36:
            return UUID(text)
    except ValueError:
        pass
    raise ClientError(404, f"unknown_{what}", f"no such {what}")


def key_of(request: Request, fallback: str | None) -> str:
    """The idempotency key; ClientError when there is none, or one that cannot be kept."""
    key = request.headers.get("idempotency-key") or fallback
    if key is None:
        raise ClientError(
            422, "key_missing", "send a key of your own in Idempotency-Key, the same one when you try again"
        )
    if not re.fullmatch(KEY, key):
        raise ClientError(422, "key_invalid", "Idempotency-Key: 1 to 128 printable ASCII characters")
    return key


def address_of(request: Request) -> str | None:
    """Where the customer is. A peer in a private network is our own proxy: then what it forwards counts.

    A private address says nothing about a customer, and all share it: fds is told none.
    """
    peer = _ip(request.client.host if request.client else "")
    if peer is None or not peer.is_private:
        return str(peer) if peer else None
    last = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    forwarded = _ip(last)
    return str(forwarded) if forwarded and not forwarded.is_loopback else None


def _ip(text: str) -> Any:
    try:
        return ip_address(text[:45])
    except ValueError:
        return None


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "body"


def _reason(message: str) -> str:
    return message.removeprefix("Value error, ")


def _inlined(value: Any, defined: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            return _inlined(defined[value["$ref"].rpartition("/")[2]], defined)
        return {key: _inlined(item, defined) for key, item in value.items()}
    if isinstance(value, list):
        return [_inlined(item, defined) for item in value]
    return value
