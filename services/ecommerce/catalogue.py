"""Reads of the catalogue, from the cache where it can, as bodies that are ready to be sent."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import orjson

from services.ecommerce.domain import Product
from services.ecommerce.ports import Cache, CacheUnavailableError, Catalogue
from services.ecommerce.signals import Signals
from telemetry.errors import ClientError

PAGE: Final = 20


class CachedCatalogue:
    """Without the cache every read is a miss, and goes on."""

    def __init__(self, catalogue: Catalogue, cache: Cache, signals: Signals) -> None:
        self._catalogue, self._cache, self._signals = catalogue, cache, signals

    async def page(self, *, category: str | None, limit: int, offset: int) -> bytes:
        """A page of products."""
        key = f"list:{category or ''}:{limit}:{offset}"
        return await self._read(
            key, lambda: self._catalogue.products(category=category, limit=limit, offset=offset)
        )

    async def search(self, text: str, *, limit: int) -> bytes:
        """Products that contain `text`."""
        wanted = " ".join(text.lower().split())
        if not wanted:
            raise ClientError(422, "invalid_request", "query.q: must not be blank")
        return await self._read(
            f"search:{limit}:{wanted}", lambda: self._catalogue.search(wanted, limit=limit)
        )

    async def product(self, product_id: str) -> bytes:
        """One product; ClientError when there is none, which is not remembered."""
        key = f"product:{product_id}"
        found = await self._kept(key)
        if found is None:
            product = await self._catalogue.product(product_id)
            if product is None:
                raise ClientError(404, "unknown_product", "no such product")
            found = orjson.dumps(_shown(product))
            await self._keep({key: found})
        return found

    async def warm(self, categories: Sequence[str]) -> None:
        """Keep every product and the first pages, so that a new shop does not begin with misses."""
        everything = await self._catalogue.products(category=None, limit=500, offset=0)
        bodies = {f"product:{product.id}": orjson.dumps(_shown(product)) for product in everything}
        for category in ("", *categories):
            fitting = [one for one in everything if category in ("", one.category)]
            bodies[f"list:{category}:{PAGE}:0"] = _list(fitting[:PAGE])
        await self._keep(bodies)

    async def _read(self, key: str, load: Callable[[], Awaitable[Sequence[Product]]]) -> bytes:
        found = await self._kept(key)
        if found is None:
            found = _list(await load())
            await self._keep({key: found})
        return found

    async def _kept(self, key: str) -> bytes | None:
        try:
            found = await self._cache.get(key)
        except CacheUnavailableError as error:
            self._signals.cache_failed("get", error)
            return None
        self._signals.looked_up(hit=found is not None)
        return found

    async def _keep(self, bodies: dict[str, bytes]) -> None:
        try:
            await self._cache.put(bodies)
        except CacheUnavailableError as error:
            self._signals.cache_failed("set", error)
        else:
            self._signals.cached()


def _list(products: Sequence[Product]) -> bytes:
    return orjson.dumps({"products": [_shown(product) for product in products]})


def _shown(product: Product) -> dict[str, object]:
    return {
        "product_id": product.id,
        "name": product.name,
        "category": product.category,
        "description": product.description,
        "price": product.price,
        "currency": "KRW",
    }
