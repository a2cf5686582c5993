"""What a secret looks like, and the replacement for each kind.

Every expression is linear: unbounded runs are possessive and can only begin where a run begins,
and everything else is bounded. Card numbers must have an issuer's first digit and a right Luhn
digit, because one in ten ordinary 16-digit numbers has the latter and epoch times have neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable

MASKED = "***MASKED***"
EMAIL_MASKED = "***EMAIL_MASKED***"
PHONE_MASKED = "***PHONE_MASKED***"
CARD_MASKED = "***CARD_MASKED***"
AWS_MASKED = "***AWS_KEY_MASKED***"
DATABASE_MASKED = "***CREDENTIALS_MASKED***"

SHA256 = re.compile(r"[0-9a-f]{64}")
IDENTIFIER = re.compile(
    r"[0-9a-f]{32}|[0-9a-f]{16}|[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)

_SECRET_WORDS = (
    r"(?:api|access|secret|private|signing|encryption|account|shared|license|routing|integration|master)"
    r"[_. -]?key(?:[_. -]?id)?|secret[_. -]?access[_. -]?key|client[_. -]?secret|secret|token|passwords?|passwd|"
    r"passphrase|pwd|credentials?|cvv|cvc"
)
_NOT_MORE_PAIRS = r"(?:(?!&[\w.-]{1,64}=)[^\s\"'])"
_VALUE = rf"(?:\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|[\"']?{_NOT_MORE_PAIRS}++)"
_KEYED = re.compile(
    rf"(?P<name>{_SECRET_WORDS})(?P<sep>\\?[\"']?[ \t]{{0,4}}(?:=>|:=|[:=])[ \t]{{0,4}})(?P<value>{_VALUE})",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"(?P<name>authorization|(?:set-)?cookie)(?P<sep>\\?[\"']?[ \t]{0,4}[:=][ \t]{0,4})"
    r"(?P<value>\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|[^\r\n\"']++)",
    re.IGNORECASE,
)
_SCHEME_TOKEN = re.compile(r"(?<![A-Za-z0-9])(?P<scheme>Bearer|Basic)[ \t]{1,4}[A-Za-z0-9._~+/=-]{8,}+", re.IGNORECASE)
_TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:sk|pk|rk|ak|xai|gsk|hf|api|key|tok|whsec|npm|dop|dapi|shpat|sq0atp)[-_](?=[A-Za-z_-]{0,64}\d)[A-Za-z0-9_-]{16,}+"
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+|glpat-[A-Za-z0-9_-]{16,}+"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}+|AIza[A-Za-z0-9_-]{30,}+|ya29\.[A-Za-z0-9_-]{16,}+"
    r"|pypi-[A-Za-z0-9_-]{16,}+|SG\.[A-Za-z0-9_-]{16,}+(?:\.[A-Za-z0-9_-]{16,}+)?"
    r"|eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?)"
)
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?")
_AWS = re.compile(
    r"(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}"
    r"|(?<![A-Za-z0-9/+=_.-])[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=_.-])"
)
_DATABASE = re.compile(
    r"(?P<scheme>(?:postgres|mysql|mariadb|redis|mongodb|amqp|mssql|oracle|clickhouse|cockroach|kafka|nats|ldap|smtp)"
    r"[a-z0-9+.]{0,24}://)[^\s\"'<>]{1,1024}@",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"://[^\s\"'<>/?#]{1,1024}@")
_EMAIL = re.compile(
    r"(?<![\w.+%-])[\w.+%-]++@(?:[\w-]{1,63}\.){1,8}[^\W\d_](?:[\w-]{0,62}\w)"
)
_DIGITS = re.compile(r"(?:\d[ ().+-]{0,2}){8}")
_KEEP = (
    r"(?P<keep>(?<![0-9A-Za-z])(?:[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-f]{32}|[0-9a-f]{16}(?=-0[0-9a-f](?![0-9a-f])))"
    r"(?![0-9A-Za-z])"
    r"|(?<!\d)\d{4}-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-6]\d(?:[.,]\d{1,9})?)?(?:Z|[+-][01]\d:?[0-5]\d)?)?(?!\d))"
)
_CARD = (
    r"(?P<card>(?<!\d)(?<!\d\.)(?:[2-69]\d{3}(?P<s1>[ .-]?)\d{4}(?P=s1)\d{4}(?P=s1)\d{1,7}"
    r"|3[47]\d{2}(?P<s2>[ .-]?)\d{6}(?P=s2)\d{5}|3\d{3}(?P<s3>[ .-]?)\d{6}(?P=s3)\d{4})(?!\d)(?!\.\d))"
)
_PHONE = (
    r"(?P<phone>\+(?:[ ().-]{0,2}\d){8,15}(?!\d)"
    r"|(?<!\d)(?<!\d\.)\(?01[016789]\)?[ .-]?\d{3,4}[ .-]?\d{4}(?!\d)(?!\.\d)"
    r"|(?<!\d)(?<!\d\.)\(?0(?:2|[3-6][1-5]|50\d|70|80)\)?[ .-]\d{3,4}[ .-]\d{4}(?!\d)"
    r"|(?<!\d)(?<!\d[.-])(?:\(\d{3}\)[ .-]?|\d{3}[.-])\d{3}[ .-]\d{4}(?!\d)(?![.-]\d))"
)
_NUMBERS = re.compile(f"{_KEEP}|{_CARD}|{_PHONE}")

_KEY_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LAST_SECRET = frozenset(
    "password passwords passwd pwd passphrase secret secrets token authorization cookie credential credentials "
    "apikey authkey privatekey accesskey secretkey cvv cvc dsn jwt bearer passcode".split()
)
_SECRET_KEYS = frozenset(
    "api access secret private signing encryption account shared license routing integration master auth".split()
)
_IDS = frozenset("trace_id span_id parent_id parent_span_id request_id execution_id transaction_id correlation_id".split())


def mask(text: str) -> str:
    """The text with every secret of every kind replaced by its marker."""
    for _ in range(4):  # a replacement may uncover a neighbour; more rounds than that change nothing
        masked = _mask_once(text)
        if masked == text:
            return text
        text = masked
    return text


def _mask_once(text: str) -> str:
    if "@" in text:
        if "://" in text:
            text = _DATABASE.sub(rf"\g<scheme>{DATABASE_MASKED}@", text)
            text = _USERINFO.sub(f"://{DATABASE_MASKED}@", text)
        text = _EMAIL.sub(EMAIL_MASKED, text)
    if len(text) < 8:
        return text
    if ":" in text or "=" in text:
        text = _HEADER.sub(_keep_name, text)
        text = _KEYED.sub(_keep_name, text)
    if "-----BEGIN" in text:
        text = _PEM.sub(MASKED, text)
    text = _SCHEME_TOKEN.sub(rf"\g<scheme> {MASKED}", text)
    text = _TOKENS.sub(MASKED, text)
    text = _AWS.sub(_aws, text)
    if _DIGITS.search(text):
        text = _NUMBERS.sub(_number, text)
    return text


def _keep_name(match: re.Match[str]) -> str:
    value = match["value"]
    quote = value[0] if value[0] in "\"'" and value[-1] == value[0] and len(value) > 1 else ""
    return f"{match['name']}{match['sep']}{quote}{MASKED}{quote}"


def _aws(match: re.Match[str]) -> str:
    found = match[0]
    if len(found) == 20 or _is_random(found):
        return AWS_MASKED
    return found


def _is_random(text: str) -> bool:
    """Whether 40 characters look like an AWS secret key rather than a path, a hash or a word."""
    upper = sum(map(str.isupper, text))
    lower = sum(map(str.islower, text))
    others = len(text) - upper - lower
    return upper >= 3 and lower >= 3 and others >= 1


def _number(match: re.Match[str]) -> str:
    if match.lastgroup == "keep" or match["keep"]:
        return match[0]
    if match["phone"]:
        return PHONE_MASKED
    digits = [int(character) for character in match[0] if character.isdigit()]
    return CARD_MASKED if luhn(digits) else match[0]


def luhn(digits: list[int]) -> bool:
    """Whether the last digit is right by Luhn's formula (ISO/IEC 7812-1)."""
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def key_kind(key: str) -> str | None:
    """See masking.key_kind."""
    lowered = key.lower().replace("-", "_").replace(".", "_")
    words = [word.lower() for word in _KEY_WORD.findall(key)]
    if lowered in _IDS:
        return "id"
    if not words:
        return None
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    for kind, holds in _KINDS:
        if holds(words, before, last):
            return kind
    return None


_KINDS: tuple[tuple[str, Callable[[list[str], str, str], bool]], ...] = (
    ("user", lambda words, before, last: words in (["user", "id"], ["userid"], ["enduser", "id"])),
    (
        "secret",
        lambda words, before, last: last in _LAST_SECRET
        or (last == "key" and before in _SECRET_KEYS)
        or any(word in ("password", "passwd", "secret", "credentials") for word in words),
    ),
    ("count", lambda words, before, last: last == "tokens"),
    ("email", lambda words, before, last: last in ("email", "mail") or words[-2:] == ["email", "address"]),
    ("phone", lambda words, before, last: last in ("phone", "mobile") or words[-2:] in (["phone", "number"], ["mobile", "number"])),
    ("card", lambda words, before, last: words[-2:] in (["card", "number"], ["card", "no"]) or last == "pan"),
)
