"""What the name of a field promises about its value."""

from __future__ import annotations

import re
from enum import Enum, auto


class Kind(Enum):
    """What to do with a field's value."""

    SECRET = auto()  # masked whole
    COUNT = auto()  # tokens: a number is kept, anything else is masked
    USER = auto()  # hashed
    ID = auto()  # kept when it has the form of an id
    EMAIL = auto()
    PHONE = auto()
    CARD = auto()


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_LAST = {
    Kind.SECRET: frozenset(
        """password passwords passwd pwd passphrase passcode secret secrets token authorization cookie
        credential credentials cvv cvc dsn jwt bearer apikey authkey privatekey accesskey secretkey
        """.split()  # noqa: SIM905 - a column of words reads better
    ),
    Kind.COUNT: frozenset(("tokens",)),
    Kind.EMAIL: frozenset(("email", "mail")),
    Kind.PHONE: frozenset(("phone", "mobile")),
    Kind.CARD: frozenset(("pan",)),
}
_LAST_TWO = {
    ("email", "address"): Kind.EMAIL,
    ("phone", "number"): Kind.PHONE,
    ("mobile", "number"): Kind.PHONE,
    ("card", "number"): Kind.CARD,
    ("card", "no"): Kind.CARD,
}
_KEY_OF = frozenset(
    """api access secret private signing encryption account shared license routing integration master auth
    """.split()  # noqa: SIM905 - see above
)
_ANYWHERE = frozenset(("password", "passwd", "secret", "credentials"))
_USERS = (["user", "id"], ["userid"], ["enduser", "id"])
_IDS = (["trace", "id"], ["span", "id"], ["parent", "id"], ["request", "id"], ["execution", "id"])


def kind_of(name: str) -> Kind | None:
    """The kind that a name such as `api_key`, `apiKey`, `X-Api-Key` or `user.id` stands for."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not words:
        return None
    if words in _USERS:
        return Kind.USER
    if words in _IDS:
        return Kind.ID
    last_two = (words[-2], words[-1]) if len(words) > 1 else ("", words[-1])
    if (last_two[1] == "key" and last_two[0] in _KEY_OF) or not _ANYWHERE.isdisjoint(words):
        return Kind.SECRET
    if last_two in _LAST_TWO:
        return _LAST_TWO[last_two]
    return next((kind for kind, lasts in _LAST.items() if words[-1] in lasts), None)
