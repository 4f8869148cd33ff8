"""What is wrong with a running service, as a value: a code for programs, a sentence for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that needs attention; `sentence` names the cause and the cure, no secret and no person.

    `code` is snake_case and stays when the sentence is reworded. `public` is False for what strangers must
    not read: a weakness, or the state of a secret. They are told that there is something, and not what.
    `of_signups` tells what became of single sign-ups, as a count of refused or suspected ones does. Strangers
    are not even told that there is something: whoever has just sent a sign-up would know it was this one.
    `planned` is a wait that ends by itself at a known time: it is named, and the service is well.
    """

    code: str
    sentence: str
    public: bool = True
    planned: bool = False
    of_signups: bool = False


# In the place of those that are not public.
MORE = Problem(
    "more_for_admins",
    "Something needs an admin: /admin/ says what, and so does this address to holders of an API key.",
)


def for_strangers(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """What of these problems everybody may read."""
    told = [problem for problem in problems if not problem.of_signups]
    public = tuple(problem for problem in told if problem.public)
    more = any(not problem.public and not problem.planned for problem in told)
    return (*public, MORE) if more else public
