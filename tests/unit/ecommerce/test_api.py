"""The routes, on fakes, through the whole application."""

import asyncio
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ecommerce.domain import Verdict
from services.ecommerce.fraud import MISSES
from services.ecommerce.ports import FraudUnavailableError
from services.ecommerce.signals import ENDPOINTS
from telemetry.masking import hash_user_id
from tests.unit.ecommerce.fakes import PRODUCTS, FakeFraud, FakeSetup
from tests.unit.ecommerce.rig import CHECKOUT, Rig, a_body, registered

DEAR = next(one for one in PRODUCTS.values() if one.price > 100_000)
CHEAP = PRODUCTS["p-001"]
FAULTS = {"FAULTS_ENABLED": "1", "FAULTS_TOKEN": "t"}


# --- catalogue ---------------------------------------------------------------------------------


def test_catalogue_answers_come_from_the_cache_the_second_time() -> None:
    """And from the first time on for what is warmed at the start; both are counted."""
    rig = Rig()

    async def read(client: httpx.AsyncClient) -> tuple[int, list[int]]:
        before = rig.catalogue.asked
        codes = [
            (await client.get(path)).status_code
            for path in ("/api/v1/products/p-001", "/api/v1/products", "/api/v1/products?category=toys",
                         "/api/v1/products/search?q=Kettle", "/api/v1/products/search?q=%20kettle")
        ]  # fmt: skip
        return rig.catalogue.asked - before, codes

    assert rig.talked(read) == (1, [200] * 5)
    assert rig.value("ecommerce_cache_operations_total", operation="get", result="hit") == 4
    assert rig.value("ecommerce_cache_operations_total", operation="get", result="miss") == 1
    assert rig.value("ecommerce_cache_hit_ratio") is None


def test_hit_ratio_appears_with_twenty_look_ups() -> None:
    """Normal traffic on a warm shop is far above the target of 0.8."""
    rig = Rig()

    async def read(client: httpx.AsyncClient) -> None:
        for product in list(PRODUCTS)[:25]:
            assert (await client.get(f"/api/v1/products/{product}")).json()["product_id"] == product

    rig.talked(read)
    assert rig.value("ecommerce_cache_hit_ratio") == 1.0


def test_without_redis_every_read_is_a_miss_and_goes_on() -> None:
    """Told once in ten seconds, counted each time."""
    rig = Rig()
    rig.cache.off = True

    async def read(client: httpx.AsyncClient) -> set[int]:
        return {(await client.get("/api/v1/products/p-001")).status_code for _ in range(30)}

    assert rig.talked(read) == {200}
    assert rig.value("ecommerce_cache_operations_total", operation="get", result="error") == 30
    assert rig.value("ecommerce_cache_hit_ratio") == 0.0
    assert len(rig.lines("Cache unavailable")) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/products/p-999", 404), ("/api/v1/products/%00", 400), ("/api/v1/products/P 1", 404),
        ("/api/v1/products?limit=0", 422), ("/api/v1/products?limit=101", 422),
        ("/api/v1/products?offset=99999999999999999999", 422), ("/api/v1/products?category=%F0%9F", 422),
        ("/api/v1/products/search", 422), ("/api/v1/products/search?q=%20", 422),
        ("/api/v1/products/search?q=a%00b", 400), (f"/api/v1/products/search?q={'a' * 65}", 422),
        ("/api/v1/orders/1/status", 404), ("/api/v1/nothing", 404),
        ("/api/v1/orders/00000000-0000-0000-0000-000000000000/status", 404),
    ],
)  # fmt: skip
def test_bad_paths_and_queries_are_4xx_json(path: str, status: int) -> None:
    """Whatever they hold."""
    answer = Rig().answered("GET", path)
    assert answer.status_code == status
    assert answer.json()["error"]["code"]


# --- users and carts ---------------------------------------------------------------------------


def test_a_user_registers_logs_in_and_is_known() -> None:
    """A taken address, a wrong password and an unknown one are refused and counted."""
    rig = Rig()

    async def live(client: httpx.AsyncClient) -> list[int]:
        headers = await registered(client)
        credentials = {"email": "LEE@mail.example", "password": "correct horse"}
        codes = [(await client.get("/api/v1/users/me", headers=headers)).status_code]
        for path, body in (
            ("register", credentials),
            ("login", credentials),
            ("login", {**credentials, "password": "wrong"}),
            ("login", {**credentials, "email": "nobody@mail.example"}),
        ):
            codes.append((await client.post(f"/api/v1/users/{path}", json=body)).status_code)
        return codes

    assert rig.talked(live) == [200, 409, 200, 401, 401]
    assert rig.value("ecommerce_user_registrations_total") == 1
    assert rig.value("ecommerce_user_logins_total", result="success") == 1
    assert rig.value("ecommerce_user_logins_total", result="failed") == 2
    assert rig.value("ecommerce_active_users") == 1


@pytest.mark.parametrize("token", ["", "x", "Basic abc", "Bearer", "Bearer é", f"Bearer {'A' * 80}"])
def test_what_is_no_token_is_refused(token: str) -> None:
    """On every route that looks at one, a guest's purchase too."""
    rig = Rig()
    headers = {b"Authorization": token.encode()}

    async def ask(client: httpx.AsyncClient) -> set[int]:
        return {
            (await client.get("/api/v1/cart", headers=headers)).status_code,
            (await client.post(CHECKOUT, json=a_body(), headers=headers)).status_code,
        }

    assert rig.talked(ask) == {401}


def test_a_cart_is_filled_and_bought() -> None:
    """At its prices; an empty one is refused."""
    rig = Rig()

    async def shop(client: httpx.AsyncClient) -> tuple[Any, int, int, int, list[str]]:
        headers = await registered(client)
        empty = await client.post(CHECKOUT, json={"idempotency_key": "a"}, headers=headers)
        for product, quantity in (("p-001", 2), ("p-002", 1), ("p-002", 0)):
            path = f"/api/v1/cart/items/{product}"
            assert (await client.put(path, json={"quantity": quantity}, headers=headers)).status_code == 200
        unknown = await client.put("/api/v1/cart/items/p-999", json={"quantity": 1}, headers=headers)
        cart = (await client.get("/api/v1/cart", headers=headers)).json()
        bought = await client.post(CHECKOUT, json={}, headers={**headers, "Idempotency-Key": "b"})
        orders = (await client.get("/api/v1/orders", headers=headers)).json()["orders"]
        one = await client.get(f"/api/v1/orders/{bought.json()['order_id']}", headers=headers)
        assert one.json()["lines"][0]["product_id"] == "p-001"
        return (
            cart,
            empty.status_code,
            unknown.status_code,
            bought.status_code,
            [o["order_id"] for o in orders],
        )

    cart, empty, unknown, bought, orders = rig.talked(shop)
    assert (cart["amount"], len(cart["items"])) == (2 * CHEAP.price, 1)
    assert (empty, unknown, bought, len(orders)) == (422, 404, 201, 1)


def test_orders_are_private_and_their_status_is_not() -> None:
    """Another user does not see an order; whoever has its id sees where it is, and nothing personal."""

    async def look(client: httpx.AsyncClient) -> tuple[int, set[str]]:
        order = (await client.post(CHECKOUT, json=a_body())).json()["order_id"]
        headers = await registered(client)
        status = await client.get(f"/api/v1/orders/{order}/status")
        return (await client.get(f"/api/v1/orders/{order}", headers=headers)).status_code, set(status.json())

    assert Rig().talked(look) == (404, {"order_id", "status", "payment_status", "updated_at"})


# --- check-out ---------------------------------------------------------------------------------


def test_an_approved_purchase_leaves_its_metrics_lines_and_spans() -> None:
    """One trace, ids hashed, amounts in KRW."""
    rig = Rig()
    answer = rig.answered("POST", CHECKOUT, json=a_body())
    body = answer.json()
    assert (answer.status_code, body["status"], body["order_status"]) == (201, "completed", "pending")
    assert body["amount"] == 2 * CHEAP.price
    counted = [
        rig.value("ecommerce_transactions_total", status="completed"),
        rig.value("ecommerce_payments_total", status="completed", payment_method="credit_card"),
        rig.value("ecommerce_orders_total", status="pending"),
        rig.value("ecommerce_fds_evaluations_total", result="low_risk"),
        rig.value("ecommerce_fds_evaluation_duration_seconds_count"),
        *(
            rig.value("ecommerce_transaction_processing_duration_seconds_count", stage=stage)
            for stage in ("validate", "fds", "charge", "commit")
        ),
        rig.value("ecommerce_http_requests_total", method="POST", endpoint=CHECKOUT, status_code="201"),
    ]
    assert counted == [1] * len(counted)
    assert rig.value("ecommerce_payment_amount_total") == rig.value("ecommerce_transaction_amount_total")
    assert rig.value("ecommerce_payment_amount_total") == 2 * CHEAP.price
    assert rig.value("ecommerce_order_items_total") == 2
    placed, paid = rig.lines("Order placed")[0], rig.lines("Payment completed")[0]
    assert placed["order_id"] == paid["order_id"] == body["order_id"]
    assert placed["trace_id"] == paid["trace_id"] == answer.headers["x-trace-id"]
    buyer = str(rig.fraud.asked[0]["user_id"])
    assert placed["user_id"] == hash_user_id(buyer)
    span = rig.spans("ecommerce.checkout")[0]
    assert span.attributes is not None
    assert span.attributes["user_id"] == hash_user_id(buyer)
    assert span.attributes["order_id"] == body["order_id"]
    assert not any(buyer.encode() in line or b"kim@" in line for line in rig.sink.lines)


@pytest.mark.parametrize(
    ("verdict", "code", "status", "risk", "transaction"),
    [
        (Verdict("auth", "medium", 40), 202, "pending", "medium_risk", "pending"),
        (Verdict("hold", "high", 70), 202, "pending", "high_risk", "pending"),
        (Verdict("block", "blocked", 95), 402, "failed", "high_risk", "declined"),
    ],
)
def test_every_verdict_has_its_answer(
    verdict: Verdict, code: int, status: str, risk: str, transaction: str
) -> None:
    """Auth and hold wait, block is declined in JSON."""
    rig = Rig(fraud=FakeFraud(verdict))
    answer = rig.answered("POST", CHECKOUT, json=a_body())
    assert answer.status_code == code
    assert rig.value("ecommerce_payments_total", status=status, payment_method="credit_card") == 1
    assert rig.value("ecommerce_fds_evaluations_total", result=risk) == 1
    assert rig.value("ecommerce_transactions_total", status=transaction) == 1
    assert rig.value("ecommerce_payment_amount_total") == 0
    assert len(rig.lines(f"Payment {transaction}")) == 1
    if code == 402:
        assert answer.json()["error"]["code"] == "payment_declined"
        assert rig.value("ecommerce_orders_total", status="cancelled") == 1


def test_a_payment_is_confirmed_with_its_code() -> None:
    """A wrong code is refused, a held payment takes none, an unknown one is not found."""
    rig = Rig(fraud=FakeFraud(Verdict("auth", "medium", 40)))

    async def pay(client: httpx.AsyncClient) -> list[int]:
        told = (await client.post(CHECKOUT, json=a_body())).json()["confirm"]
        wrong = "000000" if told["demo_code"] != "000000" else "000001"
        codes = [(await client.post(told["path"], json={"code": code})).status_code
                 for code in (wrong, "12345", told["demo_code"], told["demo_code"])]  # fmt: skip
        rig.fraud.answer = Verdict("hold", "high", 70)
        held = (await client.post(CHECKOUT, json=a_body(idempotency_key="k-2"))).json()
        code = "0" * 6
        for payment in (held["payment_id"], "00000000-0000-0000-0000-000000000000", "x"):
            path = f"/api/v1/payments/{payment}/confirm"
            codes.append((await client.post(path, json={"code": code})).status_code)
        return codes

    assert rig.talked(pay) == [403, 422, 200, 200, 409, 404, 404]
    assert rig.value("ecommerce_payments_total", status="completed", payment_method="credit_card") == 1


def test_one_key_is_one_purchase() -> None:
    """Fifty at once and one later: fds is asked once, all get the same answer; another body is refused."""
    rig = Rig(fraud=FakeFraud(seconds=0.02))

    async def pay(client: httpx.AsyncClient) -> tuple[set[str], set[int], int, int]:
        answers = await asyncio.gather(*(client.post(CHECKOUT, json=a_body()) for _ in range(50)))
        answers.append(await client.post(CHECKOUT, json=a_body()))
        other = await client.post(CHECKOUT, json=a_body(payment_method="bank_transfer"))
        fresh = await client.post(CHECKOUT, json=a_body(email="other@mail.example"))
        return ({one.text for one in answers}, {one.status_code for one in answers},
                other.status_code, fresh.status_code)  # fmt: skip

    texts, codes, other, fresh = rig.talked(pay)
    assert (len(texts), codes, other, fresh) == (1, {201}, 422, 201)
    assert rig.value("ecommerce_transactions_total", status="completed") == 2
    assert len(rig.fraud.asked) == 2


def test_a_caller_that_goes_away_does_not_stop_the_purchase() -> None:
    """Nor does it take the answer from the others."""
    rig = Rig(fraud=FakeFraud(seconds=0.05))

    async def pay(client: httpx.AsyncClient) -> int:
        first = asyncio.create_task(client.post(CHECKOUT, json=a_body()))
        second = asyncio.create_task(client.post(CHECKOUT, json=a_body()))
        await asyncio.wait_for(rig.fraud.called.wait(), 5)
        first.cancel()
        return (await second).status_code

    assert rig.talked(pay) == 201
    assert rig.value("ecommerce_transactions_total", status="completed") == 1


def test_the_same_purchase_is_the_same_transaction_to_fds() -> None:
    """Whoever asks again after a crash gets the verdict of before; another purchase is another one."""
    rig = Rig()

    async def pay(client: httpx.AsyncClient) -> list[object]:
        for body in (a_body(), a_body(), a_body(items=[{"product_id": "p-002"}])):
            rig.books.bought.clear()
            await client.post(CHECKOUT, json=body)
        return [asked["transaction_id"] for asked in rig.fraud.asked]

    first, second, third = rig.talked(pay)
    assert first == second != third
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:\-]{0,63}", str(first))


@pytest.mark.parametrize(
    ("forwarded", "told"),
    [
        ("198.51.100.7", "198.51.100.7"), ("198.51.100.7, 203.0.113.66", "203.0.113.66"),
        ("", None), ("nonsense", None), ("127.0.0.1", None), ("2001:db8::1", "2001:db8::1"),
    ],
)  # fmt: skip
def test_fds_is_told_the_last_forwarded_address(forwarded: str, told: str | None) -> None:
    """As the proxy next to us saw it; nothing that a customer could put before it."""
    rig = Rig()
    rig.answered("POST", CHECKOUT, json=a_body(country="KR"), headers={"X-Forwarded-For": forwarded})
    assert rig.fraud.asked[0].get("ip") == told
    assert rig.fraud.asked[0]["country"] == "KR"
    assert rig.fraud.asked[0]["email_domain"] == "mail.example"


# --- without fds -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("product", "code", "status"), [(CHEAP.id, 201, "completed"), (DEAR.id, 202, "pending")]
)
def test_without_fds_small_amounts_are_taken_and_large_ones_wait(
    product: str, code: int, status: str
) -> None:
    """And the answer says why."""
    rig = Rig(fraud=FakeFraud(FraudUnavailableError("refused")))
    body = a_body(items=[{"product_id": product}])
    answer = rig.answered("POST", CHECKOUT, json=body)
    assert answer.status_code == code
    assert (answer.json()["fds_unavailable"], answer.json()["status"]) == (True, status)
    assert rig.value("ecommerce_fds_fallbacks_total", policy=status) == 1
    assert rig.value("ecommerce_fds_evaluations_total", result="low_risk") == 0
    assert len(rig.lines("FDS unavailable")) == 1


def test_a_slow_fds_is_given_up_and_then_left_alone() -> None:
    """Each of the first payments waits the limit, the next ones do not wait at all."""
    rig = Rig(fraud=FakeFraud(seconds=30), fds_timeout_seconds=0.4)

    async def pay(client: httpx.AsyncClient) -> list[float]:
        spent = []
        for number in range(MISSES + 2):
            begun = asyncio.get_running_loop().time()
            answer = await client.post(CHECKOUT, json=a_body(idempotency_key=f"k-{number}"))
            assert answer.status_code == 201
            spent.append(asyncio.get_running_loop().time() - begun)
        return spent

    spent = rig.talked(pay)
    assert all(0.35 < seconds < 2.0 for seconds in spent[:MISSES])
    assert all(seconds < 0.3 for seconds in spent[MISSES:])
    assert len(rig.fraud.asked) == MISSES


# --- without PostgreSQL ------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["database", "pool"])
def test_without_the_database_a_purchase_is_503_and_counted(trouble: str) -> None:
    """With Retry-After; nothing is in the books, and the catalogue goes on from the cache."""
    rig = Rig()
    rig.books.trouble = trouble

    async def pay(client: httpx.AsyncClient) -> tuple[httpx.Response, int]:
        rig.books.down = rig.catalogue.down = True
        return await client.post(CHECKOUT, json=a_body()), (
            await client.get("/api/v1/products/p-001")
        ).status_code

    answer, product = rig.talked(pay)
    assert (answer.status_code, answer.headers["retry-after"], product) == (503, "2", 200)
    assert answer.json()["error"]["code"] == "unavailable"
    assert rig.value("ecommerce_errors_total", error_type=trouble, endpoint=CHECKOUT) == 1
    assert rig.value("ecommerce_transactions_total", status="error") == 1
    assert not rig.books.bought


def test_before_it_is_prepared_the_shop_is_not_ready() -> None:
    """Every route that needs the database answers 503, and it lives."""
    rig = Rig(setup=FakeSetup(down=True))

    async def ask(client: httpx.AsyncClient) -> list[int]:
        token = {"Authorization": "Bearer x"}
        return [
            (await client.get("/health/ready")).status_code, (await client.get("/health/live")).status_code,
            (await client.get("/api/v1/products")).status_code,
            (await client.get("/api/v1/cart", headers=token)).status_code,
            (await client.post(CHECKOUT, json=a_body())).status_code,
        ]  # fmt: skip

    assert rig.talked(ask, prepared=False) == [503, 200, 503, 503, 503]


def test_an_unexpected_failure_is_500_json_and_counted() -> None:
    """Under its route's template."""
    rig = Rig()

    async def ask(client: httpx.AsyncClient) -> httpx.Response:
        rig.catalogue.broken = RuntimeError("surprise")
        rig.cache.kept.clear()
        return await client.get("/api/v1/products/p-001")

    answer = rig.talked(ask)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    place = "/api/v1/products/{product_id}"
    assert rig.value("ecommerce_errors_total", error_type="internal", endpoint=place) == 1


# --- bad input ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"email": "\\ud800@mail.example"}',
        b'{"items": 5}', b'{"items": []}', b"[" * 5000, b'{"idempotency_key": "\\u0000"}',
        b'{"email": "kim@mail.example", "items": [{"product_id": "p-001", "quantity": 1e400}]}',
        b'{"email": "k@mail.example", "items": [{"product_id": "p-001", "quantity": 100000000000000000000}]}',
    ],
)  # fmt: skip
def test_what_is_no_purchase_is_refused_in_json(content: bytes) -> None:
    """NUL, surrogates, huge numbers, deep nesting, other types."""
    answer = Rig().answered("POST", CHECKOUT, content=content)
    assert 400 <= answer.status_code < 500
    assert answer.json()["error"]["code"]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"email": None}, 401), ({"email": "nobody"}, 422), ({"email": "a@b"}, 422),
        ({"email": "a\0@b.example"}, 422),
        ({"items": None}, 422), ({"items": [{"product_id": "p-999"}]}, 422),
        ({"items": [{"product_id": "p-001", "quantity": 0}]}, 422),
        ({"items": [{"product_id": "p-001", "quantity": 60}] * 2}, 422),
        ({"items": [{"product_id": "p-001"}] * 51}, 422),
        ({"items": [{"product_id": "p-001", "quantity": True}]}, 422),
        ({"payment_method": "gold"}, 422), ({"idempotency_key": None}, 422), ({"idempotency_key": ""}, 422),
        ({"idempotency_key": "k" * 129}, 422), ({"idempotency_key": "ü"}, 422),
        ({"device_id": "d\0"}, 422), ({"country": "kr"}, 422),
        ({"email": "k" * 40_000}, 413),
    ],
)  # fmt: skip
def test_bad_values_are_refused(values: dict[str, Any], code: int) -> None:
    """Before anything is asked or written."""
    rig = Rig()
    answer = rig.answered("POST", CHECKOUT, json=a_body(**values))
    assert (answer.status_code, bool(answer.json()["error"]["message"])) == (code, True)
    assert not rig.fraud.asked
    assert not rig.books.bought


def test_a_bad_key_in_the_header_is_refused() -> None:
    """Bytes that no database column of ours should see."""
    answer = Rig().answered("POST", CHECKOUT, json=a_body(), headers={"Idempotency-Key": b"\xff\xfe"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "key_invalid")


# --- faults ------------------------------------------------------------------------------------


def test_error_rate_strikes_evenly_and_is_counted(tmp_path: Path) -> None:
    """A quarter of the API's requests are 500; health and metrics are not touched."""
    rig = Rig(faults={**FAULTS, "FAULTS_DIR": str(tmp_path)})

    async def ask(client: httpx.AsyncClient) -> list[int]:
        token = {"Authorization": "Bearer t"}
        body = {"parameters": {"rate": 0.25}, "ttl_seconds": 60}
        assert (await client.put("/faults/error_rate", json=body, headers=token)).status_code == 200
        await asyncio.sleep(0.11)  # the switch looks at its file ten times a second
        codes = [(await client.get("/api/v1/products/p-001")).status_code for _ in range(40)]
        assert (await client.get("/health/ready")).status_code == 200
        assert (await client.delete("/faults/error_rate", headers=token)).status_code == 204
        return codes

    codes = rig.talked(ask)
    assert codes.count(500) == 10
    assert all(codes[start : start + 4].count(500) == 1 for start in range(0, 40, 4))
    place = "/api/v1/products/{product_id}"
    assert rig.value("ecommerce_errors_total", error_type="internal", endpoint=place) == 10


def test_every_route_has_its_error_series_from_the_start() -> None:
    """signals.py lists the routes a second time: this holds the two together."""
    described = Rig().answered("GET", "/openapi.json").json()["paths"]
    assert {path for path in described if path.startswith("/api/")} | {"unknown"} == set(ENDPOINTS)
