"""The rule engine: declared conditions, each with the factor that it reports and its points."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Final

from services.fds.domain import Assessment, Transaction, Velocity

KOREA: Final = timezone(timedelta(hours=9))
ANONYMOUS_COUNTRIES: Final = frozenset({"A1", "A2", "T1", "XX"})
"""What geolocation gives for anonymous proxies, satellite providers, Tor exits and unknown places."""
NEW_ACCOUNT_DAYS: Final = 7
VELOCITY: Final = "velocity"


@dataclass(frozen=True)
class Rule:
    """`factor` adds `points` to the score where `applies` holds."""

    factor: str
    points: float
    applies: Callable[[Transaction], bool]


@dataclass(frozen=True)
class VelocityRule:
    """The same for a rule that looks at counters."""

    factor: str
    points: float
    applies: Callable[[Velocity], bool]


def differ(one: str | None, other: str | None) -> bool:
    """Whether two countries are known and not the same."""
    return one is not None and other is not None and one != other


def is_new(transaction: Transaction) -> bool:
    """Whether the account is known to be younger than a week."""
    return transaction.account_age_days is not None and transaction.account_age_days < NEW_ACCOUNT_DAYS


def is_night(transaction: Transaction) -> bool:
    """Whether it is between one and six in the morning in Korea."""
    return 1 <= transaction.occurred_at.astimezone(KOREA).hour < 6


# Every condition on the amount is "at least": a larger amount never lowers the score.
RULES: Final = (
    Rule("amount_high", 12, lambda t: t.amount >= 1_000_000),
    Rule("amount_very_high", 15, lambda t: t.amount >= 5_000_000),
    Rule("account_new", 10, is_new),
    Rule("account_new_amount_high", 25, lambda t: is_new(t) and t.amount >= 500_000),
    Rule("country_mismatch", 20, lambda t: differ(t.country, t.billing_country)),
    Rule("shipping_mismatch", 12, lambda t: differ(t.shipping_country, t.billing_country)),
    Rule("country_anonymous", 25, lambda t: t.country in ANONYMOUS_COUNTRIES),
    Rule("night_amount_high", 10, lambda t: is_night(t) and t.amount >= 300_000),
    Rule("items_many", 10, lambda t: t.items_count >= 20),
    Rule("device_unknown", 8, lambda t: t.device_id is None),
)
# Limits a minute: a person does not pay six times; a card tester does; an office or a carrier's gateway
# (one address for many) may well pay ten times.
VELOCITY_RULES: Final = (
    VelocityRule("velocity_user", 25, lambda v: v.user_per_minute >= 6),
    VelocityRule("velocity_card", 30, lambda v: v.card_per_minute >= 4),
    VelocityRule("velocity_ip", 20, lambda v: v.ip_per_minute >= 60),
    VelocityRule("spend_user", 20, lambda v: v.user_krw_per_hour >= 20_000_000),
)
FACTORS: Final = tuple(rule.factor for rule in (*RULES, *VELOCITY_RULES))


def assess(transaction: Transaction, velocity: Velocity | None) -> Assessment:
    """The points that apply, at most 100; unknown velocity is left out and reported as degraded."""
    points = 0.0
    factors: list[str] = []
    for rule in RULES:
        if rule.applies(transaction):
            points += rule.points
            factors.append(rule.factor)
    for counted in VELOCITY_RULES:
        if velocity is not None and counted.applies(velocity):
            points += counted.points
            factors.append(counted.factor)
    return Assessment(min(100.0, points), tuple(factors), () if velocity is not None else (VELOCITY,))
