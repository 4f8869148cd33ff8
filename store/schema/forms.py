"""Forms and the wordings of consent."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Table, Text

from store.schema.columns import metadata, numbered, required

forms = Table(
    "forms",
    metadata,
    numbered(),
    *required(Text, "slug", "name", "definition"),
    *required(BigInteger, "created_at", "updated_at"),
    Column("archived_at", BigInteger),
    Index("uq_forms_slug", "slug", unique=True),
)

consent_wordings = Table(
    "consent_wordings",
    metadata,
    Column("form_id", BigInteger, ForeignKey("forms.id"), primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("wording", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
