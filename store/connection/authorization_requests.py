"""Authorization requests: sent to the vendor by an admin's browser, each may reach the callback once."""

from dataclasses import dataclass, fields

from sqlalchemy import delete, insert

from store.engine.database import Database
from store.engine.statements import prune
from store.schema.connection import oauth_attempts


@dataclass(frozen=True)
class AuthorizationRequestRow:
    """The columns that the callback needs; times are epoch ms."""

    browser_hash: str
    verifier_sealed: str
    redirect_uri: str
    created_at: int
    expires_at: int


class AuthorizationRequests:
    """The open requests, found by the hash of their `state` (RFC 6749, section 10.12)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def start(
        self,
        *,
        state_hash: str,
        browser_hash: str,
        verifier_sealed: str,
        redirect_uri: str,
        now: int,
        expires_at: int,
    ) -> None:
        """Store a request until `expires_at` (epoch ms), and remove expired ones."""
        with self._database.transaction() as connection:
            connection.execute(
                insert(oauth_attempts).values(
                    state_hash=state_hash,
                    browser_hash=browser_hash,
                    verifier_sealed=verifier_sealed,
                    redirect_uri=redirect_uri,
                    created_at=now,
                    expires_at=expires_at,
                )
            )
            prune(connection, oauth_attempts, now)

    def consume(self, *, state_hash: str, now: int) -> AuthorizationRequestRow | None:
        """Delete and return the request, to one caller at most; None when it is unknown, used or expired."""
        statement = (
            delete(oauth_attempts)
            .where(oauth_attempts.c.state_hash == state_hash, oauth_attempts.c.expires_at > now)
            .returning(*(oauth_attempts.c[field.name] for field in fields(AuthorizationRequestRow)))
        )
        with self._database.transaction() as connection:
            row = connection.execute(statement).one_or_none()
            return None if row is None else AuthorizationRequestRow(**row._mapping)
