"""What is wrong with a running service, as a value: a code for programs, a sentence for people.

docs/problems.md lists the codes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad a problem is. OK: nothing is to be done. PROBLEM: the service cannot do its work."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Problem:
    """One thing that was looked at; sentence and cure hold no secret and no personal data.

    `code` is snake_case and stays when the sentence is reworded; nobody compares sentences. `cure` says what
    to do where the sentence does not. Of level OK are things in order, and waits that end by themselves at a
    known time.

    `public` is False for what strangers must not read: a weakness, or the state of a secret. They are told
    that there is something, and not what. `of_signups` marks what became of single sign-ups, such as a count
    of refused or suspected ones. Strangers are not even told that there is something: whoever has just sent a
    sign-up would know that it was this one.
    """

    code: str
    level: Level
    sentence: str
    cure: str | None = None
    public: bool = True
    of_signups: bool = False

    def __str__(self) -> str:
        """Return one line, as in "problem: what is wrong — what to do"."""
        return f"{self.level.value}: {self.sentence}" + (f" — {self.cure}" if self.cure else "")


# In the place of those that are not public.
MORE = Problem(
    "more_for_admins",
    Level.WARNING,
    "Something needs an admin: /admin/ says what, and so does this address to holders of an API key.",
)


def well(sentence: str) -> Problem:
    """Return what was looked at and is in order."""
    return Problem("well", Level.OK, sentence)


def for_strangers(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Return what everybody may read of these problems."""
    shown = [problem for problem in problems if not problem.of_signups]
    public = tuple(problem for problem in shown if problem.public)
    more = any(not problem.public and problem.level is not Level.OK for problem in shown)
    return (*public, MORE) if more else public
