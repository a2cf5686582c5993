"""Secrets of each kind never survive; everything else does."""

from __future__ import annotations

import json
import re
import string
from datetime import UTC, datetime
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from telemetry.masking import LogMasker, mask_value
from telemetry.patterns import luhn
from tests.unit.telemetry.examples import examples

mask = LogMasker.mask_all

ALNUM = string.ascii_letters + string.digits
WORDS = st.text(alphabet=ALNUM, min_size=20, max_size=40).filter(lambda text: any(c.isdigit() for c in text))
DIGITS = "0123456789"


class Secret(NamedTuple):
    """A text, and the part of it that must not stay."""

    text: str
    essence: str

    def shows_in(self, text: str) -> bool:
        """Whether the essence stands there; of a number, in any writing."""
        if self.essence.isdigit():
            text = re.sub(r"[ ().+-]", "", text)
        return self.essence in text


def _with_check_digit(payload: str) -> str:
    return next(payload + digit for digit in DIGITS if luhn([int(c) for c in payload + digit]))


def _grouped(number: str, separator: str) -> str:
    sizes = {15: (4, 6, 5), 14: (4, 6, 4)}.get(len(number), (4, 4, 4, len(number) - 12))
    parts, at = [], 0
    for size in sizes:
        parts.append(number[at : at + size])
        at += size
    return separator.join(parts)


@st.composite
def cards(draw: st.DrawFn) -> Secret:
    """Card numbers of the common networks and lengths, with and without separators."""
    prefix, length = draw(
        st.sampled_from(
            [
                ("4", 16),
                ("51", 16),
                ("2221", 16),
                ("34", 15),
                ("37", 15),
                ("36", 14),
                ("6011", 16),
                ("62", 19),
                ("62", 17),
                ("9410", 16),
                ("4", 13),
            ]
        )
    )
    missing = length - len(prefix) - 1
    number = _with_check_digit(prefix + draw(st.text(alphabet=DIGITS, min_size=missing, max_size=missing)))
    return Secret(_grouped(number, draw(st.sampled_from(["", " ", "-"]))), number[-8:])


@st.composite
def phones(draw: st.DrawFn) -> Secret:
    """Korean and international phone numbers."""
    tail = draw(st.text(alphabet=DIGITS, min_size=4, max_size=4))
    middle = draw(st.text(alphabet=DIGITS, min_size=3, max_size=4))
    separator = draw(st.sampled_from(["-", " ", ".", ""]))
    area = draw(
        st.sampled_from(
            ["010", "011", "016", "019", "+82-10", "+82 10", "+1 415", "+4420", "02", "031", "070"]
        )
    )
    if area in ("02", "031", "070") and not separator:
        separator = "-"
    return Secret(separator.join((area, middle, tail)), middle + tail)


@st.composite
def emails(draw: st.DrawFn) -> Secret:
    """E-mail addresses, long and foreign ones too."""
    local = draw(st.text(alphabet=ALNUM + "._+-", min_size=1, max_size=80)) + "7"
    labels = st.text(alphabet=string.ascii_lowercase + DIGITS, min_size=1, max_size=20)
    domain = ".".join(draw(st.lists(labels, min_size=1, max_size=4)))
    at = draw(st.sampled_from(["@", "%40"]))
    end = draw(st.sampled_from(["com", "co.kr", "io", "museum", "한국"]))
    return Secret(f"{local}{at}{domain}.{end}", f"7{at}{domain}")


@st.composite
def tokens(draw: st.DrawFn) -> Secret:
    """API keys and tokens that show by their form what they are."""
    body = draw(WORDS)
    form = draw(
        st.sampled_from(
            [
                "sk-{}",
                "sk_live_{}",
                "pk_test_{}",
                "ghp_{}",
                "github_pat_{}",
                "glpat-{}",
                "xoxb-{}",
                "AIza{}AAAAAAAAAAAAAAAAAA",
                "whsec_{}",
                "npm_{}",
                "hf_{}",
                "Bearer {}",
                "eyJ{0}.eyJ{0}.{0}",
                "pypi-{}",
                "SG.{0}.{0}",
            ]
        )
    )
    return Secret(form.format(body), body)


@st.composite
def keyed(draw: st.DrawFn) -> Secret:
    """Secrets that only their name gives away, as pairs, in JSON, in JSON within JSON, and as headers."""
    name = draw(
        st.sampled_from(
            [
                "api_key",
                "apiKey",
                "X-API-Key",
                "password",
                "DB_PASSWORD",
                "passwd",
                "pwd",
                "secret",
                "client_secret",
                "access_token",
                "refresh-token",
                "secret_access_key",
                "cvv",
            ]
        )
    )
    value = draw(WORDS)
    form = draw(
        st.sampled_from(
            [
                "{}={}",
                "{}: {}",
                "{} = {}",
                '"{}": "{}"',
                "'{}': '{}'",
                '{{"{}":"{}"}}',
                "?{}={}&page=2",
                '{{\\"{}\\": \\"{}\\"}}',
                "{}=>{}",
                '{}="{}"',
                "{} := 'and {} more'",
            ]
        )
    )
    return Secret(form.format(name, value), value)


@st.composite
def aws_keys(draw: st.DrawFn) -> Secret:
    """AWS key ids, and secret keys with characters of every class."""
    if draw(st.booleans()):
        body = draw(st.text(alphabet=string.ascii_uppercase + DIGITS, min_size=16, max_size=16))
        key_id = draw(st.sampled_from(["AKIA", "ASIA", "AROA"])) + body
        return Secret(key_id, key_id)
    body = "aB3/xYz9Q" + draw(st.text(alphabet=ALNUM + "/+", min_size=31, max_size=31))
    return Secret(body, body)


@st.composite
def database_urls(draw: st.DrawFn) -> Secret:
    """Database URLs with a user and a password, which may hold characters that should be escaped."""
    scheme = draw(
        st.sampled_from(["postgresql+asyncpg", "postgres", "redis", "rediss", "mysql", "mongodb+srv", "amqp"])
    )
    user = draw(st.sampled_from(["", "firedrill", "root"]))
    password = draw(st.text(alphabet=ALNUM + "!$%*.,;_/#?@", min_size=12, max_size=24)) + "9x"
    return Secret(f"{scheme}://{user}:{password}@db.internal:5432/judgment", password[-8:])


SECRETS = st.one_of(cards(), phones(), emails(), tokens(), keyed(), aws_keys(), database_urls())
AROUND = st.text(alphabet=string.ascii_letters + " \n\t한글é,;", max_size=40)
EDGE_BEFORE = st.sampled_from(["", " ", "\n", "(", "[", '"', "'", "<", ", ", "|", "> "])
EDGE_AFTER = st.sampled_from(["", " ", "\n", ")", "]", '"', "'", ">", ", ", "|", " ;", "!"])


@st.composite
def planted(draw: st.DrawFn) -> Secret:
    """A text with a secret in it."""
    secret = draw(SECRETS)
    before, after = draw(AROUND), draw(AROUND)
    # A secret that is glued to a word is another word.
    left = draw(EDGE_BEFORE) or (" " if before else "")
    right = draw(EDGE_AFTER) or (" " if after else "")
    return Secret(f"{before}{left}{secret.text}{right}{after}", secret.essence)


@settings(max_examples=examples(600), deadline=None)
@given(planted())
def test_a_planted_secret_never_survives_in_text(case: Secret) -> None:
    """Whatever stands around it."""
    assert not case.shows_in(mask(case.text))


@settings(max_examples=examples(300), deadline=None)
@given(planted(), st.data())
def test_a_planted_secret_never_survives_in_nested_values(case: Secret, data: st.DataObject) -> None:
    """Neither in values nor in keys, however deep."""
    value: object = case.text
    for _ in range(data.draw(st.integers(0, 5))):
        wrap = data.draw(st.sampled_from(["list", "tuple", "dict", "key", "bytes", "object", "json"]))
        if wrap == "list":
            value = ["x", value]
        elif wrap == "tuple":
            value = (value, 1)
        elif wrap == "dict":
            value = {"note": value, "n": 3}
        elif wrap == "key" and isinstance(value, str):
            value = {value: "v"}
        elif wrap == "bytes" and isinstance(value, str):
            value = value.encode()
        elif wrap == "object":
            value = ValueError(value)
        elif wrap == "json" and isinstance(value, str):
            value = json.dumps({"payload": value}, ensure_ascii=data.draw(st.booleans()))
    assert not case.shows_in(repr(mask_value(value)))


@settings(max_examples=examples(400), deadline=None)
@given(
    st.one_of(st.text(), st.lists(planted(), max_size=3).map(lambda cases: "".join(c.text for c in cases)))
)
def test_masking_twice_is_masking_once(text: str) -> None:
    """What is masked on its way in may be masked again on its way out."""
    once = mask(text)
    assert mask(once) == once


ORDINARY = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda value: value.hex),
    st.integers(1, 2**64 - 1).map(lambda value: f"{value:016x}").filter(lambda text: not text.isdigit()),
    st.tuples(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1)).map(
        lambda ids: f"00-{ids[0]:032x}-{ids[1]:016x}-01"
    ),
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)).map(
        lambda value: value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ),
    st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)).map(str),
    st.integers(-(10**9), 10**9).map(str),
    st.integers(1_500_000_000, 2_000_000_000).map(lambda seconds: f"{seconds}000000000"),
    st.integers(1_500_000_000, 2_000_000_000).map(lambda seconds: f"{seconds}123"),
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1e6, max_value=1e6).map(repr),
    st.ip_addresses(v=4).map(lambda address: f"{address}:8010"),
    st.text(alphabet=string.ascii_letters + " ,.-_/", max_size=30),
    st.sampled_from(
        [
            "judgment.execute",
            "GET /api/v1/judgment/execute",
            "SELECT id FROM executions WHERE tenant = $1",
            "P95 < 0.1 s",
            "max_tokens 512",
            "wf-approval-2",
            "tenant_a",
            "task-1234567890abcdef",
            "risk-assessment-service-2026",
            "v1.45.1",
            "2026-11-21",
            "100%",
            "http://collector:4318/v1/traces",
            "the token was refused",
            "sha256 of a user",
            "key: value",
            "postgresql://localhost:5432/db",
            "Retry-After: 5",
            "1,234,567.89",
            "00:00:12.345",
            "exp-20261121-0001",
        ]
    ),
)


@settings(max_examples=examples(600), deadline=None)
@given(st.lists(ORDINARY, min_size=1, max_size=5))
def test_ordinary_text_is_unchanged(parts: list[str]) -> None:
    """Ids, times, numbers, paths and prose are worth nothing when mangled."""
    text = " | ".join(parts)
    assert mask(text) == text


JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(),
        st.binary(),
        st.uuids(),
        st.datetimes(),
        st.decimals(),
        st.text(alphabet=st.characters(categories=["Cs", "Cc", "Nd"])),
    ),
    lambda inner: st.one_of(
        st.lists(inner),
        st.dictionaries(st.one_of(st.text(), st.integers(), st.none()), inner),
        st.tuples(inner),
        st.frozensets(st.one_of(st.text(), st.integers())),
    ),
    max_leaves=20,
)


@settings(max_examples=examples(300), deadline=None)
@given(JUNK)
def test_any_value_can_be_masked_and_the_result_is_plain(value: object) -> None:
    """The masker is total, and what comes out is made of plain types."""

    def plain(item: object) -> bool:
        if isinstance(item, dict):
            return all(isinstance(key, str) and plain(each) for key, each in item.items())
        if isinstance(item, list | tuple):
            return all(map(plain, item))
        return item is None or isinstance(item, str | int | float)

    assert plain(mask_value(value))
