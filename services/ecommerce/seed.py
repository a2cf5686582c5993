"""What a new shop begins with: sixty products and fifty demo users, the same for the same seed."""

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Final

from services.ecommerce.domain import Product

PRODUCTS_A_CATEGORY: Final = 10
USERS: Final = 50
PASSWORD: Final = "firedrill-demo"
"""Of every demo user, and in the README: they own nothing."""

# Category, its goods, and the price range in KRW. Only electronics reach what fds finds high.
_GOODS: Final = (
    ("books", ("Atlas", "Cookbook", "Novel", "Field guide", "Poems"), 8_000, 42_000),
    ("clothing", ("Coat", "Jumper", "Scarf", "Shirt", "Boots"), 19_000, 160_000),
    ("electronics", ("Camera", "Headphones", "Keyboard", "Laptop", "Monitor"), 45_000, 1_900_000),
    ("garden", ("Bench", "Hose", "Lantern", "Pruner", "Seed box"), 4_000, 120_000),
    ("kitchen", ("Kettle", "Knife", "Pan", "Rice cooker", "Tea set"), 9_000, 190_000),
    ("toys", ("Blocks", "Kite", "Puzzle", "Robot", "Train set"), 6_000, 90_000),
)
_LOOKS: Final = ("blue", "compact", "folding", "green", "grey", "large", "light", "oak", "red", "white")
CATEGORIES: Final = tuple(category for category, *_ in _GOODS)
_NAMESPACE: Final = uuid.UUID("6d1f7a52-5d0b-4e0e-9d5c-0f1f3c1b8a10")
_BEGINNING: Final = datetime(2024, 1, 1, tzinfo=UTC)


def products(seed: int) -> list[Product]:
    """Ids are p-001 and so on, whatever the seed."""
    source = random.Random(f"products-{seed}")
    made: list[Product] = []
    for category, goods, lowest, highest in _GOODS:
        looks = source.sample(_LOOKS, PRODUCTS_A_CATEGORY)
        for number, look in enumerate(looks):
            thing = goods[number % len(goods)]
            price = lowest * (highest / lowest) ** source.betavariate(1.2, 2.5)
            made.append(
                Product(
                    id=f"p-{len(made) + 1:03d}",
                    name=f"{thing}, {look}",
                    category=category,
                    description=f"{thing} for every day, {look}, delivered within the week.",
                    price=round(price / 100) * 100,
                )
            )
    return made


def users(seed: int) -> list[dict[str, object]]:
    """Rows without a password hash: shopper-01@shop.example and so on, their accounts months old or older."""
    source = random.Random(f"users-{seed}")
    return [
        {
            "id": uuid.uuid5(_NAMESPACE, f"{seed}-{number}"),
            "email": f"shopper-{number:02d}@shop.example",
            "name": f"Shopper {number}",
            "created_at": _BEGINNING + timedelta(days=source.randrange(600)),
        }
        for number in range(1, USERS + 1)
    ]
