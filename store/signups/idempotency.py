"""Idempotency keys: a sign-up that is sent again with its key is not stored again."""

from dataclasses import dataclass

from sqlalchemy import Connection, text

from store.engine.statements import prune
from store.errors import KeyTaken
from store.schema.signups import idempotency_keys

KEPT_MS = 48 * 3_600_000

_CLAIM = text(
    "INSERT INTO idempotency_keys (key_hash, body_hash, signup_id, created_at)"
    " VALUES (:key_hash, :body_hash, :signup_id, :now)"
    " ON CONFLICT (key_hash) DO UPDATE SET body_hash = excluded.body_hash,"
    " signup_id = excluded.signup_id, created_at = excluded.created_at"
    " WHERE idempotency_keys.created_at <= :expired"
)
_FIRST_USE = text(
    "SELECT signup_id, body_hash FROM idempotency_keys WHERE key_hash = :key_hash AND created_at > :expired"
)

_GIVE_BACK = text("DELETE FROM idempotency_keys WHERE key_hash = :key_hash")


@dataclass(frozen=True)
class IdempotencyKey:
    """`key_hash` stands for a sender and the key it chose, `body_hash` for what it sent with that key."""

    key_hash: str
    body_hash: str


@dataclass(frozen=True)
class FirstUse:
    """The sign-up that a key was first sent with."""

    signup_id: str
    body_hash: str


def claim(connection: Connection, key: IdempotencyKey, signup_id: str, now: int) -> None:
    """Take the key for a sign-up at `now` (epoch ms), in the transaction that stores it.

    Raises:
        KeyTaken: another sign-up came with it within the last 48 hours; the transaction must not commit.
    """
    values = vars(key) | {"signup_id": signup_id, "now": now, "expired": now - KEPT_MS}
    if connection.execute(_CLAIM, values).rowcount == 0:
        raise KeyTaken


def give_back(connection: Connection, key: IdempotencyKey) -> None:
    """Free the key that was claimed in this transaction."""
    connection.execute(_GIVE_BACK, {"key_hash": key.key_hash})


def first_use(connection: Connection, key_hash: str, now: int) -> FirstUse | None:
    """Return what the key was first sent with in the 48 hours before `now` (epoch ms), or None."""
    row = connection.execute(_FIRST_USE, {"key_hash": key_hash, "expired": now - KEPT_MS}).one_or_none()
    return None if row is None else FirstUse(**row._mapping)


def forget_old(connection: Connection, now: int) -> None:
    """Remove keys older than 48 hours at `now` (epoch ms); last in a transaction, see `prune`."""
    prune(connection, idempotency_keys, now - KEPT_MS, column="created_at")
