"""What callers may send: a payment to evaluate, and later what it turned out to be."""

import hashlib
import json
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Annotated, Final

from pydantic import AfterValidator, AliasChoices, BaseModel, ConfigDict, Field, field_validator

from services.fds.domain import Transaction
from services.fds.quality import Label

LARGEST_AMOUNT: Final = 10_000_000_000  # KRW; above any payment, below where a float loses a won
TRANSACTION_ID: Final = r"^[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}$"
_TEXT = r"^[^\x00-\x1f\x7f]+$"
_COUNTRY = r"^[A-Z][A-Z0-9]$"

Country = Annotated[str, Field(pattern=_COUNTRY, description="two capitals, or a letter and a digit")]


def _this_century(value: datetime) -> datetime:
    """The moment in UTC; ValueError for years that no database and no payment has."""
    if value.tzinfo is None or not 2000 <= value.year < 2100:
        raise ValueError("must be of the years 2000 to 2099, with a time zone")
    return value.astimezone(UTC)


Moment = Annotated[datetime, AfterValidator(_this_century)]


class Payment(BaseModel):
    """A payment to evaluate. Unknown keys are ignored: callers may know more than this version uses."""

    model_config = ConfigDict(strict=True, extra="ignore", populate_by_name=True)

    transaction_id: Annotated[str, Field(pattern=TRANSACTION_ID)]
    user_id: Annotated[str, Field(min_length=1, max_length=128, pattern=_TEXT)]
    amount: Annotated[float, Field(gt=0, le=LARGEST_AMOUNT, allow_inf_nan=False, description="KRW")]
    currency: Annotated[str, Field(pattern="^KRW$")] = "KRW"
    payment_method: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")] = "card"
    ip: Annotated[str | None, Field(max_length=45, validation_alias=AliasChoices("ip", "ip_address"))] = None
    country: Country | None = None
    device_id: Annotated[str | None, Field(min_length=1, max_length=128, pattern=_TEXT)] = None
    card_id: Annotated[str | None, Field(min_length=1, max_length=128, pattern=_TEXT)] = None
    email_domain: Annotated[str | None, Field(min_length=1, max_length=253, pattern=_TEXT)] = None
    shipping_country: Country | None = None
    billing_country: Country | None = None
    items_count: Annotated[int, Field(ge=1, le=10_000)] = 1
    account_age_days: Annotated[int | None, Field(ge=0, le=50_000)] = None
    timestamp: Annotated[datetime | None, Field(description="RFC 3339; default now")] = None

    @field_validator("ip")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            return str(ip_address(value))
        except ValueError:
            raise ValueError("must be an IPv4 or IPv6 address") from None

    @field_validator("timestamp")
    @classmethod
    def _a_moment(cls, value: datetime | None) -> datetime | None:
        return None if value is None else _this_century(value)

    def transaction(self, now: datetime) -> Transaction:
        """The payment as the domain sees it."""
        values = {name: value for name, value in self if name not in ("timestamp", "currency")}
        if self.email_domain is not None:
            values["email_domain"] = self.email_domain.lower()
        return Transaction(**values, occurred_at=self.timestamp or now)

    def fingerprint(self) -> str:
        """The same for the same payment, however its JSON was written."""
        return hashlib.sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


class Feedback(BaseModel):
    """What a transaction turned out to be."""

    model_config = ConfigDict(strict=True, extra="ignore")

    transaction_id: Annotated[str, Field(pattern=TRANSACTION_ID)]
    label: Label
