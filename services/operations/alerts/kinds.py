"""What is alerted of: each kind gathers the problems that one person would mend in one go."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.problems import Level, Problem
from store.mail.alerts import Seen

# How often everything is looked at.
LOOK_SECONDS = 60
MINUTE_MS = 60_000


@dataclass(frozen=True)
class AlertKind:
    """One kind of alert; `begun` and `ended` are its headlines, without a full stop.

    Of the codes in `passing` only those of level PROBLEM count. What is seen for less than `patience_ms` is
    not told of: it mends itself.
    """

    name: str
    begun: str
    ended: str
    codes: frozenset[str]
    passing: frozenset[str] = frozenset()
    patience_ms: int = 0

    def concerns(self, problem: Problem) -> bool:
        """Return whether the problem is of this kind."""
        severe = problem.level is Level.PROBLEM or problem.code not in self.passing
        return problem.code in self.codes and severe


# What cannot be told by way of the database.
STORE = AlertKind(
    "store",
    "Sign-ups cannot be stored as usual",
    "Sign-ups are being stored as usual again",
    frozenset(
        {
            *("not_storable", "database_away", "no_answer", "database_being_salvaged", "database_salvaged"),
            *("spool_waiting", "spool_damaged", "disk_low", "second_copy_failing"),
        }
    ),
    patience_ms=MINUTE_MS,
)
# A service that was never connected, or that an admin has disconnected, is no surprise to anybody; sign-ups
# that wait because of it are another kind.
KINDS = (
    AlertKind(
        "connection",
        "The connection to Constant Contact needs attention",
        "Constant Contact is connected again",
        frozenset(
            {
                *("connection_refresh_failing", "connection_needs_reauthorization"),
                *("connection_credentials_rejected", "connection_api_rejected", "connection_undecryptable"),
                *("connection_foreign_installation", "connection_idle"),
            }
        ),
        passing=frozenset({"connection_refresh_failing"}),
        patience_ms=MINUTE_MS,
    ),
    AlertKind(
        "waiting",
        "Sign-ups have been waiting for over an hour",
        "Sign-ups are no longer held up",
        frozenset({"backlog_old"}),
    ),
    AlertKind(
        "parked",
        "Refused sign-ups are waiting for you",
        "No refused sign-ups are waiting any more",
        frozenset({"signups_parked"}),
    ),
    AlertKind(
        "refused",
        "Sign-ups are being refused for the same reason",
        "Those sign-ups are accepted again",
        frozenset({"signups_refused_alike"}),
    ),
    AlertKind(
        "quota",
        "Today's Constant Contact calls are nearly used up",
        "Constant Contact calls are available again",
        frozenset({"day_nearly_used", "day_used_up", "backlog_waits_for_midnight"}),
    ),
    STORE,
    AlertKind(
        "worker",
        "Delivery has stopped",
        "Delivery is running again",
        frozenset({"delivery_silent", "worker_missing"}),
        patience_ms=MINUTE_MS,
    ),
    AlertKind(
        "quiet",
        "Far fewer people are signing up than usual",
        "People are signing up as usual again",
        frozenset({"signups_quiet"}),
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}


def by_kind(problems: Iterable[Problem]) -> dict[str, Seen]:
    """Return the problems of each kind, as they are stored; none of those that no kind gathers."""
    problems = tuple(problems)
    return {kind.name: seen(filter(kind.concerns, problems)) for kind in KINDS}


def seen(problems: Iterable[Problem]) -> Seen:
    """Return problems as they are stored."""
    return tuple(
        {"code": problem.code, "sentence": problem.sentence, "cure": problem.cure} for problem in problems
    )
