"""The forms an admin makes, and every wording of consent they ever showed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from store.database import Database
from store.schema import consent_wordings, forms


@dataclass(frozen=True)
class StoredForm:
    """A form with the consent it asks for today; times are epoch ms, `archived_at` is None while in use.

    `wording` is None where the form asks for no consent; `consent_version` then is None as well.
    """

    id: int
    slug: str
    name: str
    definition: Mapping[str, Any]
    wording: str | None
    consent_version: int | None
    created_at: int
    updated_at: int
    archived_at: int | None


@dataclass(frozen=True)
class Wording:
    """One wording of consent, shown from `created_at` (epoch ms) until the next version."""

    version: int
    wording: str
    created_at: int


_NEWEST = (
    select(func.max(consent_wordings.c.version))
    .where(consent_wordings.c.form_id == forms.c.id)
    .correlate(forms)
    .scalar_subquery()
)
_ALL = (
    select(forms, consent_wordings.c.version.label("consent_version"), consent_wordings.c.wording)
    .outerjoin(
        consent_wordings, (consent_wordings.c.form_id == forms.c.id) & (consent_wordings.c.version == _NEWEST)
    )
    .order_by(forms.c.name, forms.c.id)
)
_ONE = _ALL.where(forms.c.slug == bindparam("wanted"))
_WORDINGS = (
    select(consent_wordings.c.version, consent_wordings.c.wording, consent_wordings.c.created_at)
    .where(consent_wordings.c.form_id == bindparam("form"))
    .order_by(consent_wordings.c.version)
)
_ARCHIVE = (
    update(forms)
    .where(forms.c.slug == bindparam("wanted"), forms.c.archived_at.is_(None))
    .values(archived_at=bindparam("now"))
)


class Forms:
    """The forms. None is ever deleted: a sign-up's consent must be provable for as long as it is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[StoredForm]:
        """Every form by name, archived ones included."""
        with self._database.reading() as connection:
            return [_stored(row) for row in connection.execute(_ALL)]

    def find(self, slug: str) -> StoredForm | None:
        """The form of that name in addresses, archived or not."""
        with self._database.reading() as connection:
            row = connection.execute(_ONE, {"wanted": slug}).one_or_none()
        return None if row is None else _stored(row)

    def save(
        self, slug: str, *, name: str, definition: Mapping[str, Any], wording: str | None, now: int
    ) -> None:
        """Create the form, or change it and take it out of the archive.

        Args:
            slug: its name in addresses; it stays as it is.
            name: its name for the admin.
            definition: everything else, as a JSON document.
            wording: the consent it asks for; a wording that differs from today's becomes a new version.
            now: epoch ms.
        """
        values = {"name": name, "definition": json.dumps(dict(definition)), "updated_at": now}
        with self._database.transaction() as connection:
            changed = connection.execute(
                update(forms).where(forms.c.slug == slug).values(**values, archived_at=None)
            )
            if not changed.rowcount:
                connection.execute(insert(forms).values(slug=slug, created_at=now, **values))
            _keep_wording(connection, slug, wording or "", now)

    def archive(self, slug: str, *, now: int) -> bool:
        """Stop taking sign-ups for the form; False when none of that name is in use."""
        with self._database.transaction() as connection:
            return bool(connection.execute(_ARCHIVE, {"wanted": slug, "now": now}).rowcount)

    def wordings(self, form_id: int) -> list[Wording]:
        """Every consent the form ever asked for, oldest first; an empty one says that it asked for none."""
        with self._database.reading() as connection:
            return [Wording(*row) for row in connection.execute(_WORDINGS, {"form": form_id})]


def _keep_wording(connection: Connection, slug: str, wording: str, now: int) -> None:
    row: Any = connection.execute(_ONE, {"wanted": slug}).one()
    if wording == (row.wording or ""):
        return
    connection.execute(
        insert(consent_wordings).values(
            form_id=row.id, version=(row.consent_version or 0) + 1, wording=wording, created_at=now
        )
    )


def _stored(row: Row[Any]) -> StoredForm:
    columns = dict(row._mapping)
    columns["definition"] = json.loads(columns["definition"])
    if not columns["wording"]:
        columns["wording"] = columns["consent_version"] = None
    return StoredForm(**columns)
