"""One example of each rule of the masker."""

from __future__ import annotations

import re
import time
import uuid

import pytest

from telemetry.masking import MAX_TEXT, LogMasker, hash_user_id, mask_pair, mask_value

mask = LogMasker.mask_all


class Hostile:
    """An object whose own code fails."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


class HostileText(str):
    """Text whose own code fails."""

    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_objects_that_fail_and_values_without_end_are_masked_too() -> None:
    """A cycle, a deep nest, a long list and an object that cannot be printed."""
    cycle: list[object] = []
    cycle.append(cycle)
    deep: object = "user@example.com"
    for _ in range(5000):
        deep = [deep]
    for value in (
        cycle,
        deep,
        Hostile(),
        {"a": Hostile()},
        HostileText("user@example.com"),
        [0] * 100_000,
        10**5000,
    ):
        assert "user@example.com" not in repr(mask_value(value))
    assert mask_value({"a": Hostile(), "b": 1}) == {"a": "***UNREADABLE***", "b": 1}


def test_the_documented_example_looks_as_documented() -> None:
    """The form of the output is part of the interface."""
    assert (
        mask("api_key=sk-1234567890abcdef email=user@example.com")
        == "api_key=***MASKED*** email=***EMAIL_MASKED***"
    )


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("call 010-1234-5678 now", "call ***PHONE_MASKED*** now"),
        ("call +82-10-1234-5678", "call ***PHONE_MASKED***"),
        ("paid with 4111 1111 1111 1111.", "paid with ***CARD_MASKED***."),
        ("amex 378282246310005", "amex ***CARD_MASKED***"),
        ("wrong check digit 4111111111111112", "wrong check digit 4111111111111112"),
        ("key AKIAIOSFODNN7EXAMPLE", "key ***AWS_KEY_MASKED***"),
        ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "***AWS_KEY_MASKED***"),
        (
            "postgresql+asyncpg://fds:p@ss/w#rd@postgres:5432/fds",
            "postgresql+asyncpg://***CREDENTIALS_MASKED***@postgres:5432/fds",
        ),
        ("redis://:hunter22@redis:6379/0", "redis://***CREDENTIALS_MASKED***@redis:6379/0"),
        ("Authorization: Bearer abc.def", "Authorization: ***MASKED***"),
        ("Cookie: a=1; session=2\nnext", "Cookie: ***MASKED***\nnext"),
        ('{"password": "a \\"quoted\\" one", "n": 1}', '{"password": "***MASKED***", "n": 1}'),
        ("?token=abc&limit=10", "?token=***MASKED***&limit=10"),
        ("email%40 is user%40example.com", "email%40 is ***EMAIL_MASKED***"),
        ("[parameters: ('Kim', 7)]", "[parameters: ***MASKED***"),
        (
            "invalid input for query argument $2: 'Kim' (expected int)",
            "invalid input for query argument $2: ***MASKED***",
        ),
        ("DETAIL:  Key (name)=(Kim) already exists.", "DETAIL:  Key (name)=***MASKED***"),
    ],
)
def test_each_kind_has_its_marker(text: str, masked: str) -> None:
    """One example a kind, exactly."""
    assert mask(text) == masked


def test_a_name_decides_about_its_value() -> None:
    """Names that say secret hide anything; ids and counts keep their form; user ids are hashed."""
    trace_id = "4111111111111111" * 2
    value = {
        "api_key": "short",
        "apiKey": 1,
        "X-Api-Key": ["a"],
        "db.password": {"x": 1},
        "session_token": "t",
        "max_tokens": 512,
        "tokens": "abc",
        "user_id": "bob",
        "user.id": "bob",
        "trace_id": trace_id,
        "span_id": "4111111111111111",
        "email": "odd",
        "phone": 1012345678,
        "card_number": "x",
        "token_type": "bearer",
        "note": None,
        "password": None,
        "secret_enabled": True,
    }
    assert mask_value(value) == {
        **dict.fromkeys(
            ("api_key", "apiKey", "X-Api-Key", "db.password", "session_token", "tokens"), "***MASKED***"
        ),
        "max_tokens": 512,
        "user_id": hash_user_id("bob"),
        "user.id": hash_user_id("bob"),
        "trace_id": trace_id,
        "span_id": "4111111111111111",
        "email": "***EMAIL_MASKED***",
        "phone": "***PHONE_MASKED***",
        "card_number": "***CARD_MASKED***",
        "token_type": "bearer",
        "note": None,
        "password": None,
        "secret_enabled": True,
    }


def test_a_card_number_is_masked_even_as_a_number() -> None:
    """A whole number in JSON can be one."""
    assert mask_value({"n": 4111111111111111, "t": time.time_ns(), "ms": 1795256639346}) == {
        "n": "***CARD_MASKED***",
        "t": pytest.approx(time.time_ns()),
        "ms": 1795256639346,
    }


def test_a_user_id_is_hashed_once() -> None:
    """Hashing a hash changes nothing, so that it may happen in more than one place."""
    once = hash_user_id("bob@example.com")
    assert re.fullmatch("[0-9a-f]{64}", once)
    assert hash_user_id(once) == once == mask_pair("user_id", "bob@example.com")
    assert hash_user_id("\ud800") != hash_user_id("?")


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "@",
        "a@",
        "a@a.",
        ".a",
        "://",
        "redis://",
        "redis://a",
        "token=",
        'token="',
        "token='",
        'password=\\"',
        "1",
        "1 ",
        "1-",
        "+1",
        "4111-",
        "sk-",
        "sk-a",
        "eyJ",
        "-----BEGIN PRIVATE KEY-----",
        "-",
        "Bearer ",
        "Basic a",
        "cookie:",
        "authorization=",
        "A",
        "AKIA",
        "a/",
        "%40",
        "a%40",
        "[parameters: ",
        "Key (",
        "010-",
        "(02) ",
        "a@b.c",
        "\\",
        '\\"',
        "&a=",
        "token=&",
        "_",
        "\ud800",
    ],
)
def test_hostile_input_costs_bounded_time(unit: str) -> None:
    """A long run of any piece of a pattern, alone and behind an @, takes well under a second."""
    for text in (unit * 60_000, "@ " + unit * 60_000, unit * 60_000 + "@ :// %40"):
        begun = time.perf_counter()
        mask(text)
        assert time.perf_counter() - begun < 1.0


def test_a_text_is_cut_only_where_no_half_secret_can_stay() -> None:
    """The cut falls behind masking, and never into a number or a key."""
    for shift in range(0, 60, 3):
        text = (
            "x " * (MAX_TEXT // 2 - 20)
            + "y" * shift
            + " 4111 1111 1111 1111 sk-1234567890abcdef0 "
            + "z " * 4000
        )
        masked = mask(text)
        assert len(masked) <= MAX_TEXT + 20
        assert "1111" not in masked
        assert "1234567890" not in masked
        assert masked.endswith("...[cut]")


def test_uuids_that_are_all_digits_stay() -> None:
    """They are rare, but they come."""
    text = str(uuid.UUID("41111111-1111-4111-8111-411111111111"))
    assert mask(f"id {text} done") == f"id {text} done"


@pytest.mark.parametrize(
    "query",
    [
        "q=%2B82%2010%204821%207733",
        "q=%2B82+10+4821+7733",
        "card=4539+5787+6362+1486",
        "card=4539%205787%206362%201486",
        "url=postgresql%3A%2F%2Fshop%3Apw9x8y7z%40postgres%3A5432%2Fshop",
    ],
)
def test_what_a_url_encodes_is_masked_too(query: str) -> None:
    """Spaces and signs of phone and card numbers and of database URLs, as a query carries them."""
    masked = LogMasker.mask_all(query)
    assert "MASKED***" in masked
    assert not any(part in masked for part in ("4821", "5787", "pw9x8y7z"))


def test_encoded_text_without_a_secret_stays_encoded() -> None:
    """Only what holds a secret is shown decoded."""
    for text in ("q=50%25+off&sort=a%2Fb", "at=2026-11-21T10:00:00%2B09:00", "a=1+2"):
        assert LogMasker.mask_all(text) == text
