"""How easily a secret is guessed, estimated from the secret alone: no list of bad ones can be complete.

A secret that was typed, not drawn at random, has few different characters, repeats itself, counts up, or is a
word that everybody tries. Each of these is taken out, and the rest is measured.
"""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise

# Keys can be guessed at full speed; guesses at a password are limited (services/access/guess_limits.py).
SHORTEST_KEY = 16
KEY_BITS = 36
SHORTEST_PASSWORD = 8
PASSWORD_BITS = 24
# As werkzeug writes it: method, salt, digest. It does not show how strong the password is.
PASSWORD_HASH = re.compile(r"scrypt:\d+:\d+:\d+\$[^$]+\$[0-9a-f]{64,}")
# Each counts as one character, also with digits for letters: placeholders, keyboards, and the usual words.
KNOWN_WORDS = re.compile(
    "administrator|admin|changeit|changeme|change|replaceme|replace|placeholder|default|example|sample"
    "|supersecret|topsecret|secret|password|passwort|passwd|pass|letmein|welcome|iloveyou|monkey|dragon|login"
    "|production|development|subscriber|constantcontact|constant|contact|newsletter|your|here|insert|todo"
    "|qwertzuiop|qwertyuiop|qwertz|qwerty|asdfghjkl|asdfgh|asdf|yxcvbn|zxcvbn|azerty|hunter|root|user|guest",
    re.IGNORECASE,
)
# Words of a value that is meant to be replaced by another one.
PLACEHOLDER = re.compile(
    r"(?<![a-z])(change|changeme|replace|replaceme|placeholder|your|example|sample|insert|dummy|default)(?![a-z])"
)
LETTERS_FOR_DIGITS = str.maketrans("013457@$!", "oieastasi")


def key_weakness(key: str) -> str | None:
    """Return what is wrong with a key, as the end of a sentence; None for a good one."""
    if PLACEHOLDER.search(key.lower()):
        return "is easily guessed: it says that another value belongs in its place"
    return _weakness(key, SHORTEST_KEY, KEY_BITS)


def password_weakness(password: str) -> str | None:
    """Return what is wrong with a password, as the end of a sentence; None for a good one, and for a hash."""
    if password.startswith("scrypt:"):
        return None if PASSWORD_HASH.fullmatch(password) else "begins like a hash and is none"
    return _weakness(password, SHORTEST_PASSWORD, PASSWORD_BITS)


def weaknesses(
    keys: Mapping[str, str], passwords: Mapping[str, str], *, others: Mapping[str, str]
) -> list[str]:
    """Return a sentence for each weakness, with the secret's name and the cure; an empty secret is unset.

    `others` are chosen by somebody else and only have to differ from these.
    """
    why = {name: key_weakness(key) for name, key in keys.items() if key}
    why |= {name: password_weakness(password) for name, password in passwords.items() if password}
    found = [f"{name} {reason}. {_cure(name)}" for name, reason in why.items() if reason]
    for names in _same({**keys, **passwords, **others}):
        found.append(f"{' and '.join(names)} are the same: who learns one has the other. {_cure(names[0])}")
    return found


def numbered(name: str, values: Sequence[str]) -> dict[str, str]:
    """Return the values of a comma-separated variable by its name, with their number if there are several."""
    if len(values) == 1:
        return {name: values[0]}
    return {f"{name} (no. {number})": value for number, value in enumerate(values, 1)}


def _cure(name: str) -> str:
    if name == "ADMIN_PASSWORD":
        return "Choose a longer one, such as four words that have nothing to do with each other."
    if name == "ENCRYPTION_KEYS":
        return "Put the output of `openssl rand -hex 32` and a comma in front; the old key goes on opening."
    return f"Set {name} to the output of `openssl rand -hex 32`."


def _same(secrets: Mapping[str, str]) -> list[tuple[str, ...]]:
    by_value: dict[str, list[str]] = {}
    for name, secret in secrets.items():
        by_value.setdefault(secret, []).append(name)
    # The same key twice in one list is harmless.
    return [
        tuple(names)
        for secret, names in by_value.items()
        if secret and len({name.partition(" (")[0] for name in names}) > 1
    ]


def bits(secret: str) -> float:
    """Return a low estimate of the secret's entropy, in bits."""
    left = _without_counting(_once(_without_words(secret)))
    return len(left) * math.log2(len(set(left)) or 1)


def _weakness(secret: str, shortest: int, least_bits: float) -> str | None:
    if len(secret) < shortest:
        return f"is easily guessed: it has fewer than {shortest} characters"
    if bits(secret) < least_bits:
        return "is easily guessed: too much of it repeats, counts up, or is a word that everybody tries"
    return None


def _without_words(secret: str) -> str:
    """Return the secret with every known word replaced by one character."""
    plain, left, end = secret.translate(LETTERS_FOR_DIGITS), "", 0
    for word in KNOWN_WORDS.finditer(plain):
        left += secret[end : word.start()] + "\0"
        end = word.end()
    return left + secret[end:]


def _once(text: str) -> str:
    """Return the part that the whole text repeats: of "abcabcab" it is "abc"."""
    for length in range(1, len(text) // 2 + 1):
        if text.startswith(text[length:]):
            return text[:length]
    return text


def _without_counting(text: str) -> str:
    """Return the text without runs of the same, rising or falling characters, as in "aaaa" and "6789"."""
    codes = [ord(character) for character in text]
    steps = [after - before for before, after in pairwise(codes)]
    kept = [
        text[place + 1]
        for place, step in enumerate(steps)
        if step and not (abs(step) == 1 and place and steps[place - 1] == step)
    ]
    return text[:1] + "".join(kept)
