"""The forms that an admin makes, and every wording of consent that they ever showed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from store.engine.database import Database
from store.schema.forms import consent_wordings, forms


@dataclass(frozen=True)
class StoredForm:
    """A form; times are epoch ms, `archived_at` is None while the form is in use.

    `wordings` are the wordings of consent that it asked for, version 1 first and today's last; an empty one
    says that it asked for no consent.
    """

    id: int
    slug: str
    name: str
    definition: Mapping[str, Any]
    wordings: tuple[str, ...]
    created_at: int
    updated_at: int
    archived_at: int | None


_ALL = select(forms).order_by(forms.c.name, forms.c.id)
_ONE = select(forms).where(forms.c.slug == bindparam("wanted"))
_WORDINGS = select(consent_wordings.c.form_id, consent_wordings.c.wording).order_by(
    consent_wordings.c.form_id, consent_wordings.c.version
)
_WORDINGS_OF_ONE = _WORDINGS.where(consent_wordings.c.form_id == bindparam("form"))
_ARCHIVE = (
    update(forms)
    .where(forms.c.slug == bindparam("wanted"), forms.c.archived_at.is_(None))
    .values(archived_at=bindparam("now"))
)


class Forms:
    """The forms. None is ever deleted: consent must be provable as long as its sign-up is kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[StoredForm]:
        """Return every form by name, archived ones included."""
        with self._database.reading() as connection:
            rows = connection.execute(_ALL).all()
            wordings: dict[int, list[str]] = {}
            for form_id, wording in connection.execute(_WORDINGS):
                wordings.setdefault(form_id, []).append(wording)
        return [_stored(row, wordings.get(row.id, ())) for row in rows]

    def find(self, slug: str) -> StoredForm | None:
        """Return the form with this slug, archived or not; None without one."""
        with self._database.reading() as connection:
            row = connection.execute(_ONE, {"wanted": slug}).one_or_none()
            return None if row is None else _stored(row, _wordings(connection, row.id))

    def save(
        self,
        slug: str,
        *,
        name: str,
        definition: Mapping[str, Any],
        wording: str | None,
        now: int,
        sms_wording: str | None = None,
    ) -> StoredForm:
        """Create the form, or change it and take it out of the archive; return it as it is then.

        Args:
            slug: the form's name in addresses, which never changes.
            name: the form's name for the admin.
            definition: everything else, as a JSON document.
            wording: the consent it asks for; a wording that differs from today's becomes a new version.
            now: epoch ms.
            sms_wording: the same for text messages; its versions stand in the definition, as `sms_wordings`.
        """
        with self._database.transaction() as connection:
            # Locked, so that neither of two admins who save at once loses the other's wording.
            before = connection.execute(_ONE.with_for_update(), {"wanted": slug}).one_or_none()
            sms_wordings = _extended(_sms_wordings(before), sms_wording)
            document = {**definition, **({"sms_wordings": sms_wordings} if sms_wordings else {})}
            values = {"name": name, "definition": json.dumps(document), "updated_at": now}
            changed = connection.execute(
                update(forms).where(forms.c.slug == slug).values(**values, archived_at=None)
            )
            if not changed.rowcount:
                connection.execute(insert(forms).values(slug=slug, created_at=now, **values))
            row = connection.execute(_ONE, {"wanted": slug}).one()
            known = _wordings(connection, row.id)
            wordings = _extended(known, wording)
            if wordings != known:
                connection.execute(
                    insert(consent_wordings).values(
                        form_id=row.id, version=len(wordings), wording=wordings[-1], created_at=now
                    )
                )
        return _stored(row, wordings)

    def archive(self, slug: str, *, now: int) -> bool:
        """Stop taking sign-ups for the form; return False when no form with this slug is in use."""
        with self._database.transaction() as connection:
            return bool(connection.execute(_ARCHIVE, {"wanted": slug, "now": now}).rowcount)


def _extended(wordings: Sequence[str], wording: str | None) -> list[str]:
    """Return the versions with `wording` as today's; it is added only if it differs from the last one."""
    same = (wording or "") == (wordings[-1] if wordings else "")
    return [*wordings] if same else [*wordings, wording or ""]


def _sms_wordings(form: Row[Any] | None) -> list[str]:
    return [] if form is None else list(json.loads(form.definition).get("sms_wordings", ()))


def _wordings(connection: Connection, form_id: int) -> list[str]:
    return [wording for _, wording in connection.execute(_WORDINGS_OF_ONE, {"form": form_id})]


def _stored(row: Row[Any], wordings: Iterable[str]) -> StoredForm:
    columns = dict(row._mapping)
    columns["definition"] = json.loads(columns["definition"])
    return StoredForm(wordings=tuple(wordings), **columns)
