"""What a secret looks like, and the replacement for each kind.

Every expression takes linear time: unbounded runs are possessive and begin only where a run
begins, and everything else is bounded. Card numbers must begin with an issuer's digit and end in a
right Luhn digit: one in ten ordinary 16-digit numbers has the latter, and epoch times, which begin
with 1, never both. Phone numbers are international ones (+ and 8 to 15 digits), Korean ones, and
North American ones with separators; other national forms cannot be told from plain numbers.
"""

from __future__ import annotations

import re

MASKED = "***MASKED***"
EMAIL_MASKED = "***EMAIL_MASKED***"
PHONE_MASKED = "***PHONE_MASKED***"
CARD_MASKED = "***CARD_MASKED***"
AWS_MASKED = "***AWS_KEY_MASKED***"
CREDENTIALS_MASKED = "***CREDENTIALS_MASKED***"

SHA256 = re.compile(r"[0-9a-f]{64}")
_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
IDENTIFIER = re.compile(rf"[0-9a-f]{{32}}|[0-9a-f]{{16}}|{_UUID}")
"""Trace ids, span ids and UUIDs."""

# In JSON within JSON, and in the repr of bytes, the letter before is no letter but part of an escape.
_ESCAPE = r"(?<=\\[nrtbf])|(?<=\\u[0-9a-fA-F]{4})|(?<=\\x[0-9a-fA-F]{2})"
_WORD_BEGINS = rf"(?:(?<![A-Za-z0-9])|{_ESCAPE})"

# --- what follows a name that says it is secret: api_key=..., "password": "...", Authorization: ...
_NAMES = (
    r"(?:api|access|secret|private|signing|encryption|account|shared|license|routing|integration|master)"
    r"[_. -]?key|secret[_. -]?access[_. -]?key|client[_. -]?secret|secret|token|passwords?|passwd|"
    r"passphrase|passcode|pwd|credentials?|cvv|cvc"
)
_IS = r"\\{0,8}[\"']?[ \t]{0,4}(?:=>|:=|[:=])[ \t]{0,4}"
# Atomic groups rather than possessive repeats of groups, which Python 3.11.2 gets wrong
# (https://github.com/python/cpython/issues/106052).
_QUOTED = (
    r"\"(?>(?:[^\"\\]|\\.)*)\"|'(?>(?:[^'\\]|\\.)*)'"  # whole
    r"|(?P<quote>\\{1,8}[\"'])(?>(?:(?!(?<!\\)(?P=quote))[^\n])*)(?:(?P=quote))?"  # in JSON in JSON
    r"|[\"'][^\r\n]*+"  # cut off before its end
)
_BARE = r"(?>(?:(?!&[\w.-]{1,64}=)[^\s\"'])+)"  # ends at the next pair of a query string
_KEYED = re.compile(rf"(?P<name>{_NAMES})(?P<is>{_IS})(?P<value>{_QUOTED}|{_BARE})", re.IGNORECASE)
_HEADER = re.compile(
    rf"(?P<name>authorization|(?:set-)?cookie)(?P<is>{_IS})(?P<value>{_QUOTED}|[^\r\n\"']++)", re.IGNORECASE
)
_SCHEME = re.compile(
    rf"{_WORD_BEGINS}(?P<scheme>Bearer|Basic)[ \t]{{1,4}}[A-Za-z0-9._~+/=-]{{8,}}+", re.IGNORECASE
)

# --- what is known by its own form
_TOKEN = re.compile(
    rf"{_WORD_BEGINS}(?:"
    r"(?:sk|pk|rk|ak|xai|gsk|hf|api|key|tok|whsec|npm|dop|dapi|shpat)[-_]"
    r"(?=[A-Za-z_-]{0,64}\d)[A-Za-z0-9_-]{16,}+"
    r"|gh[pousr]_[A-Za-z0-9]{20,}+|github_pat_[A-Za-z0-9_]{20,}+|glpat-[A-Za-z0-9_-]{16,}+"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,}+|AIza[A-Za-z0-9_-]{30,}+|ya29\.[A-Za-z0-9_-]{16,}+"
    r"|pypi-[A-Za-z0-9_-]{16,}+|SG\.[A-Za-z0-9_-]{16,}+(?:\.[A-Za-z0-9_-]{16,}+)?"
    r"|eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+(?:\.[A-Za-z0-9_-]*+)?)"
)
_PEM = re.compile(r"-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[^-]*+(?:-----END [A-Z ]{0,32}PRIVATE KEY-----)?")
_AWS = re.compile(
    r"(?:AKIA|ASIA|AGPA|AIDA|AROA|AIPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{16}"
    rf"|(?:(?<![A-Za-z0-9/+])|{_ESCAPE})[A-Za-z0-9/+]{{40}}(?![A-Za-z0-9/+=])"
)
_DATABASE = re.compile(
    r"(?P<scheme>(?:postgres|mysql|mariadb|redis|mongodb|amqp|mssql|oracle|clickhouse|cockroach|kafka|nats|ldap"
    r"|smtp)[a-z0-9+.]{0,24}://)[^\s\"'<>]{1,512}@",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"://[^\s\"'<>/?#]{1,512}@")
_U = (
    r"\\{1,8}(?:u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2})"  # a letter of another script, as JSON and repr may write it
)
_DOMAIN = rf"(?:(?:[\w-]|{_U}){{1,63}}\.){{1,8}}(?:[^\W\d_]|{_U})(?:[\w-]|{_U}){{1,62}}"
_EMAIL = re.compile(rf"(?<![\w.+%-])[\w.+%-]++@{_DOMAIN}")
_EMAIL_ENCODED = re.compile(rf"(?<![\w.+-])[\w.+-]++%40{_DOMAIN}")

# --- numbers, in one pass: what must stay comes first
_NINE_DIGITS = re.compile(r"(?:\d[ ().+-]{0,2}){9}")
_EDGE = rf"(?:(?<!\d)(?<!\d\.)|{_ESCAPE})"  # neither within a number nor behind its point
_NUMBER = re.compile(
    rf"(?P<keep>(?<![0-9A-Za-z])(?:{_UUID}|[0-9a-f]{{32}}|[0-9a-f]{{16}}(?=-0[0-9a-f](?![0-9a-f])))(?![0-9A-Za-z])"
    r"|(?<!\d)\d{4}-[01]\d-[0-3]\d(?:[T ][0-2]\d:[0-5]\d(?::[0-6]\d(?:[.,]\d{1,9})?)?"
    r"(?:Z|[+-][01]\d:?[0-5]\d)?)?(?!\d))"
    rf"|(?P<card>{_EDGE}(?:(?:[3-69]\d{{3}}|2[2-7]\d{{2}})(?P<a>[ .-]?)\d{{4}}(?P=a)\d{{4}}(?P=a)\d{{4,7}}"
    r"|4\d{3}(?P<d>[ .-]?)\d{4}(?P=d)\d{4}(?P=d)\d"
    r"|3[47]\d{2}(?P<b>[ .-]?)\d{6}(?P=b)\d{5}|3\d{3}(?P<c>[ .-]?)\d{6}(?P=c)\d{4})(?!\d)(?!\.\d))"
    r"|(?P<phone>(?:\+|%2B)(?:[ ().-]{0,2}\d){8,15}(?!\d)"
    rf"|{_EDGE}\(?01[016789]\)?[ .-]?\d{{3,4}}[ .-]?\d{{4}}(?!\d)(?!\.\d)"
    rf"|{_EDGE}\(?0(?:2|[3-6][1-5]|50\d|70|80)\)?[ .-]\d{{3,4}}[ .-]\d{{4}}(?!\d)"
    r"|(?<!\d)(?<!\d[.-])(?:\(\d{3}\)[ .-]?|\d{3}[.-])\d{3}[ .-]\d{4}(?!\d)(?![.-]\d))"
)

# --- values of SQL parameters that drivers repeat in their errors
_SQL = re.compile(
    r"(?P<what>\[parameters: |query argument \$\d{1,5}: |Key \([^)\n]{1,512}\)=|Failing row contains )[^\n]++"
)


def mask(text: str) -> str:
    """The text with every secret of every kind replaced by its marker."""
    for _ in range(4):  # a replacement may uncover a neighbour, which the next round finds
        masked = _mask_once(text)
        if masked == text:
            break
        text = masked
    return text


def _mask_once(text: str) -> str:
    if "@" in text:
        if "://" in text:
            text = _DATABASE.sub(rf"\g<scheme>{CREDENTIALS_MASKED}@", text)
            text = _USERINFO.sub(f"://{CREDENTIALS_MASKED}@", text)
        text = _EMAIL.sub(EMAIL_MASKED, text)
    if "%40" in text:
        text = _EMAIL_ENCODED.sub(EMAIL_MASKED, text)
    if ":" in text or "=" in text:
        text = _HEADER.sub(_keep_name, text)
        text = _KEYED.sub(_keep_name, text)
        text = _SQL.sub(rf"\g<what>{MASKED}", text)
    if len(text) < 9:
        return text
    if "-----BEGIN" in text:
        text = _PEM.sub(MASKED, text)
    text = _SCHEME.sub(rf"\g<scheme> {MASKED}", text)
    text = _TOKEN.sub(MASKED, text)
    text = _AWS.sub(_aws, text)
    if _NINE_DIGITS.search(text):
        text = _NUMBER.sub(_number, text)
    return text


def _keep_name(match: re.Match[str]) -> str:
    value = match["value"]
    quote = match["quote"] or ""
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        quote = value[0]
    return f"{match['name']}{match['is']}{quote}{MASKED}{quote}"


def _aws(match: re.Match[str]) -> str:
    found = match[0]
    return AWS_MASKED if len(found) == 20 or _is_random(found) else found


def _is_random(text: str) -> bool:
    """Whether 40 characters look like an AWS secret key rather than a path, a hash or a word."""
    upper = sum(map(str.isupper, text))
    lower = sum(map(str.islower, text))
    return upper >= 3 and lower >= 3 and upper + lower < len(text)


def _number(match: re.Match[str]) -> str:
    if match["phone"]:
        return PHONE_MASKED
    if match["card"] and luhn([int(character) for character in match[0] if character.isdigit()]):
        return CARD_MASKED
    return match[0]


def luhn(digits: list[int]) -> bool:
    """Whether the last digit is right by Luhn's formula (ISO/IEC 7812-1)."""
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0
