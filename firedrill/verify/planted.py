"""The secrets that verify plants: made up for each run, with the parts by which each is recognised."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

# No vowels and none of p, s, w: a marker must not read like a word that the masker knows, such as "pwd:".
_LETTERS = "bdfghjklmnqrtxz"
_WORDS = "abcdefghijklmnopqrstuvwxyz0123456789"


@dataclass(frozen=True)
class Secret:
    """A made-up secret of one kind; text that holds one of `parts` has let it through."""

    kind: str
    text: str
    parts: tuple[str, ...]

    def is_in(self, text: str) -> bool:
        """Whether the text holds this secret, or so much of it that it is no longer one."""
        return any(part in text for part in self.parts)


def make_secrets(chance: random.Random) -> tuple[Secret, ...]:
    """One secret of each kind; `chance` makes them others than those of any run before."""
    key, mailbox, word = _word(chance, 24), _word(chance, 12), _word(chance, 12)
    first, second = f"{chance.randrange(2000, 10000)}", f"{chance.randrange(2000, 10000)}"
    card = _with_check_digit("4539" + "".join(str(chance.randrange(10)) for _ in range(11)))
    aws = "".join(chance.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))
    return (
        Secret("api_key", f"sk-live-{key}1", (key,)),
        Secret("email", f"c{mailbox}@canary.example", (mailbox,)),
        Secret("phone", f"+82-10-{first}-{second}", (f"{first}-{second}", f"8210{first}{second}")),
        Secret("card", card, (card,)),
        Secret("aws_key", f"AKIA{aws}", (aws,)),
        # The host is one word, as that of a compose service is.
        Secret("database_url", f"postgres://app:{word}@db:5432/app", (word,)),
    )


def make_marker(chance: random.Random) -> str:
    """A harmless word that stands nowhere else: where it is found, the search has read."""
    return "canary" + "".join(chance.choice(_LETTERS) for _ in range(14))


def kinds_in(text: str, planted: Iterable[Secret]) -> list[str]:
    """The kinds of the planted secrets that `text` holds."""
    return [secret.kind for secret in planted if secret.is_in(text)]


def chosen(planted: Sequence[Secret], kinds: Iterable[str]) -> list[Secret]:
    """The secrets of these kinds."""
    wanted = set(kinds)
    return [secret for secret in planted if secret.kind in wanted]


def _word(chance: random.Random, length: int) -> str:
    return "".join(chance.choice(_WORDS) for _ in range(length))


def _with_check_digit(digits: str) -> str:
    """The digits with the last one that Luhn's formula asks for (ISO/IEC 7812-1)."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[::-2]]
    total = sum(doubled) + sum(int(digit) for digit in digits[-2::-2])
    return digits + str(-total % 10)
