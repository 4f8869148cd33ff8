"""Suspected sign-ups: they look like a program's, and are not delivered unless a person releases them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Row,
    bindparam,
    delete,
    func,
    select,
    tuple_,
    update,
)

from store import opt_outs
from store.engine.copies import Entry
from store.engine.database import Database
from store.engine.documents import read, row_read
from store.engine.statements import insert_unknown
from store.schema.outbox import deliveries
from store.schema.signups import signups, suspected_signups
from store.signups.batch import JUNK, PROVEN, UNSURE, OneTimeUse, rows_kept
from store.signups.rate_limits import Limit, count
from store.signups.suspected_room import SuspectedRoom, recount, room
from store.throttles import spend

# A flood may leave very many, and each health check counts them.
COUNTED_TO = 1_000
BATCH = 200
RANKS = (PROVEN, UNSURE, JUNK)
_END = 2**62  # later than any time


@dataclass(frozen=True)
class Suspect:
    """A suspected sign-up as it was received, and the rules it broke.

    `received_at` and `released_at` are epoch ms, the latter None while it waits; `rank` is one of `RANKS`.
    """

    id: str
    received_at: int
    email: str
    person: Mapping[str, str]
    list_ids: tuple[str, ...]
    form_id: int | None
    page: str | None
    network_address: str | None
    reasons: tuple[str, ...]
    released_at: int | None
    rank: int

    @property
    def proven(self) -> bool:
        """Whether it solved a captcha, or was sent by a key."""
        return self.rank == PROVEN


@dataclass(frozen=True)
class Place:
    """A place in the order of those that wait: by rank, the newest first."""

    rank: int
    received_at: int
    id: str


@dataclass(frozen=True)
class Waiting:
    """How many of each rank wait for a decision, counted up to `COUNTED_TO` each."""

    proven: int
    unsure: int
    junk: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.proven + self.unsure + self.junk

    @property
    def more(self) -> bool:
        """Whether there may be more, for a rank was not counted to its end."""
        return COUNTED_TO in {self.proven, self.unsure, self.junk}


_T = suspected_signups.c
_order = tuple_(_T.received_at, _T.id)
_WAITING = _T.released_at.is_(None)
# One rank at a time: a search in the index by its rank, the newest first, and no sort.
PAGE = (
    select(suspected_signups)
    .where(_WAITING, _T.rank == bindparam("rank"), _order < tuple_(bindparam("at"), bindparam("before_id")))
    .order_by(_T.received_at.desc(), _T.id.desc())
    .limit(bindparam("at_most"))
)
_WITH_REASON = _T.reasons.like(bindparam("reason"))
OF_CONTACT = (
    select(suspected_signups)
    .where(_T.contact_key == bindparam("contact"), _WAITING)
    .limit(bindparam("at_most"))
)
COUNT = select(
    *(
        select(func.count())
        .select_from(
            select(_T.id)
            .where(_WAITING, _T.rank == rank)
            .order_by(_T.received_at.desc())
            .limit(COUNTED_TO)
            .subquery()
        )
        .scalar_subquery()
        for rank in RANKS
    )
)
NEWER = select(func.count()).select_from(
    select(_T.id)
    .where(_WAITING, _T.received_at > bindparam("since"))
    .order_by(_T.received_at.desc())
    .limit(COUNTED_TO)
    .subquery()
)
FIND = select(suspected_signups).where(_T.id == bindparam("wanted"))
# Those of one reason, the oldest first; where a person decides on many at once, up to what they have seen.
# The sum (+ 0) keeps the planners off the index by rank, after which they would sort.
SOUGHT = (
    select(_T.id, _T.received_at)
    .where(_WAITING, _T.received_at <= bindparam("seen"), _T.rank + 0 >= bindparam("rank"), _WITH_REASON)
    .where(_order > tuple_(bindparam("at"), bindparam("after_id")))
    .order_by(_T.received_at, _T.id)
    .limit(BATCH)
)
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)
_RELEASE = (
    update(suspected_signups)
    .where(_T.id.in_(_IDS), _WAITING)
    .values(released_at=bindparam("now"))
    .returning(_T.id, _T.document, _T.received_at)
)
_RANKED = (
    update(suspected_signups)
    .where(_T.id == bindparam("wanted"), _WAITING, _T.rank > bindparam("better"))
    .values(rank=bindparam("better"))
    .returning(_T.received_at)
)
_DELETE = delete(suspected_signups).where(_T.id.in_(_IDS), _WAITING).returning(_T.id, _T.received_at)


class SuspectedSignups:
    """The suspected sign-ups, in a table of their own; `Signups.accept` stores them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, signup_id: str) -> Suspect | None:
        """Return the one of that id, released or not; None where there is none."""
        with self._database.reading() as connection:
            row = connection.execute(FIND, {"wanted": signup_id}).one_or_none()
        return None if row is None else _suspect(row)

    def waiting(self, limit: int, *, after: Place | None = None, reason: str | None = None) -> list[Suspect]:
        """Return those that nobody has decided on, the likeliest people first, of each rank the newest first.

        Args:
            limit: how many at most.
            after: behind this place.
            reason: those that broke this rule, perhaps with others.
        """
        statement = PAGE.where(_WITH_REASON) if reason else PAGE
        first, found = after or Place(PROVEN, _END, ""), list[Suspect]()
        with self._database.reading() as connection:
            for rank in RANKS[first.rank :]:
                place = first if rank == first.rank else Place(rank, _END, "")
                values = {"rank": rank, "at": place.received_at, "before_id": place.id}
                values |= {"at_most": limit - len(found), **_reason(reason)}
                found += [_suspect(row) for row in connection.execute(statement, values)]
                if len(found) == limit:
                    break
        return found

    def of_contact(self, contact_key: str, limit: int) -> list[Suspect]:
        """Return those of one address that nobody has decided on, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(OF_CONTACT, {"contact": contact_key, "at_most": limit})
            return sorted(map(_suspect, rows), key=lambda suspect: suspect.received_at, reverse=True)

    def counts(self) -> Waiting:
        """Return how many wait for a decision, by rank."""
        with self._database.reading() as connection:
            return Waiting(*connection.execute(COUNT).one())

    def newer(self, since: int) -> int:
        """Return how many of those that wait were received after `since` (epoch ms), up to `COUNTED_TO`."""
        with self._database.reading() as connection:
            return connection.scalar(NEWER, {"since": since}) or 0

    def room(self) -> SuspectedRoom:
        """Return how much room they take, and how many were not kept for want of it."""
        with self._database.reading() as connection:
            return room(connection)

    def release(self, signup_id: str, *, now: int) -> bool:
        """Make it a sign-up like any other, due at `now` (epoch ms); False when it does not wait (any more).

        It keeps its id and the time it was received: that is when the person consented, and who left since is
        not brought back by it.
        """
        with self._changing() as (connection, copied):
            released = self._release(connection, copied, [signup_id], now)
        return released == 1

    def try_again(
        self,
        signup_id: str,
        *,
        now: int,
        believed: bool,
        limits: Sequence[Limit] = (),
        once: OneTimeUse | None = None,
        rank: int = UNSURE,
    ) -> bool:
        """Release it because its sender sent a better proof; return whether it was released.

        Counts and spends in the same transaction, as for a new sign-up.

        Args:
            signup_id: the one that is kept.
            now: epoch ms.
            believed: whether the second try breaks no rule by itself.
            limits: what it counts for; over one of them it stays.
            once: what must not count for two; where it was used before, nothing changes.
            rank: that of the second try, which counts from now on if it is better.
        """
        with self._changing() as (connection, copied):
            (counted,) = count(connection, [limits], now=now)
            if once and not spend(connection, once.token_hash, once.expires_at):
                return False
            if believed and not counted.over:
                return self._release(connection, copied, [signup_id], now) == 1
            rows = connection.execute(_RANKED, {"wanted": signup_id, "better": rank}).all()
            copied += [_changed(signup_id, row.received_at, {"rank": rank}) for row in rows]
            return False

    def release_of(self, reason: str, *, seen: int, now: int, most: int) -> int:
        """Release those with that reason that were received by `seen`; both times are epoch ms.

        Returns how many: a batch more than `most` at most.
        """
        return self._in_batches(
            reason,
            seen,
            PROVEN,
            most,
            lambda connection, copied, ids: self._release(connection, copied, ids, now),
        )

    def delete(self, signup_id: str) -> bool:
        """Remove it for good; False when it does not wait (any more)."""
        with self._changing() as (connection, copied):
            return _delete(connection, copied, [signup_id]) == 1

    def delete_of(self, reason: str, *, seen: int, most: int) -> int:
        """Remove those with that reason that were received by `seen` (epoch ms).

        Not those of the first rank: a person decides on each of them. Returns how many: a batch more than
        `most` at most.
        """
        return self._in_batches(reason, seen, UNSURE, most, _delete)

    def _in_batches(self, reason: str, seen: int, rank: int, most: int, change: "_Change") -> int:
        """Change them in small transactions, so that no visitor waits for one."""
        changed, after = 0, Place(rank, -1, "")
        while changed < most:
            values = {"seen": seen, "rank": rank, "at": after.received_at, "after_id": after.id}
            with self._changing() as (connection, copied):
                rows = connection.execute(SOUGHT, values | _reason(reason)).all()
                if not rows:
                    break
                changed += change(connection, copied, [row.id for row in rows])
            after = Place(rank, rows[-1].received_at, rows[-1].id)
        return changed

    @contextmanager
    def _changing(self) -> Iterator[tuple[Connection, list[Entry]]]:
        """Yield a transaction, and the list of second copies to write once it is committed."""
        copies, copied = self._database.copies, list[Entry]()
        with self._database.transaction(committed=lambda: copies.write(copied)) as connection:
            yield connection, copied

    def _release(self, connection: Connection, copied: list[Entry], ids: Sequence[str], now: int) -> int:
        rows = connection.execute(_RELEASE, {"ids": ids, "now": now}).all()
        for row in rows:
            signup, delivery = rows_kept(row.document)
            delivery |= {"due_at": now}
            # Known already where it came by the spool as well, after a commit that only seemed to fail.
            insert_unknown(connection, signups, signup)
            insert_unknown(connection, deliveries, delivery)
            copied += self._database.copies.of_rows(connection, {"signups": signup, "deliveries": delivery})
            copied.append(_changed(row.id, row.received_at, {"released_at": now}))
        if rows:
            opt_outs.doubt(connection)
            recount(connection)
        return len(rows)


_Change = Callable[[Connection, list[Entry], Sequence[str]], int]


def _delete(connection: Connection, copied: list[Entry], ids: Sequence[str]) -> int:
    rows = connection.execute(_DELETE, {"ids": ids}).all()
    copied += [_changed(row.id, row.received_at, None) for row in rows]
    if rows:
        recount(connection)
    return len(rows)


def _reason(reason: str | None) -> dict[str, str]:
    # The names of rules hold no % and their _ may stand for any letter: no two differ by that only.
    return {"reason": f'%"{reason}"%'} if reason else {}


def _changed(signup_id: str, received_at: int, change: dict[str, Any] | None) -> Entry:
    return Entry(signup_id, received_at, changes={"suspected_signups": change})


def _suspect(row: Row[Any]) -> Suspect:
    signup = row_read(read(row.document)["signup"])
    return Suspect(
        id=row.id,
        received_at=row.received_at,
        email=signup["email"],
        person=read(signup["person"]),
        list_ids=tuple(read(signup["list_ids"])),
        form_id=row.form_id,
        page=signup.get("page"),
        network_address=signup.get("network_address"),
        reasons=tuple(read(row.reasons)),
        released_at=row.released_at,
        rank=row.rank,
    )
