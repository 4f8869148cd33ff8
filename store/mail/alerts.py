"""How each kind of alert stands and what was last told of it, for all processes and over restarts."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, bindparam, select, text, update

from store.engine.database import Database
from store.mail import messages
from store.mail.messages import NewMessage
from store.schema.mail import alerts

# code, sentence and cure of a problem, as texts
Seen = tuple[Mapping[str, str | None], ...]


@dataclass(frozen=True)
class AlertState:
    """One kind of alert; times are epoch ms.

    `began_at` is None while all is well. `seen_at` is when somebody last saw that something is wrong, and
    `problems` what. `told` is whether the last message, at `told_at`, said so; `untold` counts how often it
    came and went since without a message.
    """

    kind: str
    began_at: int | None = None
    seen_at: int | None = None
    told: bool = False
    told_at: int | None = None
    untold: int = 0
    problems: Seen = ()


Decision = tuple[AlertState, Iterable[NewMessage]]

_INSERT = text(
    "INSERT INTO alerts (kind, told, untold, problems) VALUES (:kind, :told, 0, '[]')"
    " ON CONFLICT (kind) DO NOTHING"
)
_LOCKED = select(alerts).where(alerts.c.kind == bindparam("wanted")).with_for_update()


class AlertStates:
    """The table of alerts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> dict[str, AlertState]:
        """Return every kind that something was ever seen of."""
        with self._database.reading() as connection:
            rows = connection.execute(select(alerts)).all()
        return {row.kind: _state(row) for row in rows}

    def change(self, kind: str, decide: Callable[[AlertState], Decision], *, now: int) -> AlertState:
        """Replace the state by what `decide` makes of it, and store its messages in the same transaction.

        The row is locked meanwhile: of several processes that see the same, one stores the messages.
        """
        with self._database.transaction() as connection:
            connection.execute(_INSERT, {"kind": kind, "told": False})
            state, new = decide(_state(connection.execute(_LOCKED, {"wanted": kind}).one()))
            values = asdict(state) | {"problems": json.dumps(state.problems)}
            connection.execute(update(alerts).where(alerts.c.kind == kind).values(**values))
            messages.add(connection, new, now=now)
        return state


def _state(row: Row[Any]) -> AlertState:
    columns = dict(row._mapping)
    return AlertState(**columns | {"problems": tuple(json.loads(columns["problems"]))})
