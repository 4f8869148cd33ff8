"""What the tables of every subject are made of."""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Text, TextClause

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def partial_index(name: str, *columns: str, where: TextClause, unique: bool = False) -> Index:
    """Return an index of the rows that meet `where`, on both engines."""
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def required(kind: type[BigInteger | Text], *names: str) -> list[Column[Any]]:
    """Return columns of this type that are never empty."""
    return [Column(name, kind, nullable=False) for name in names]


def numbered() -> Column[int]:
    """Return the key of a table whose rows the database numbers."""
    # SQLite numbers rows only where the type is spelled INTEGER.
    return Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
