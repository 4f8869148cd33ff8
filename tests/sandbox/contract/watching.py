"""Checks every answer that a sandbox gives in this process against the vendor's contract."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from flask import Flask, Response, g, request, request_finished

from tests.sandbox.contract.checking import problems

_API = "/v3/"
# Faults by which a test replaces or changes the sandbox's own answer.
_UNTRUE = {"status", "garbage", "half_body"}


@dataclass
class Answers:
    """How many answers were checked, and what was wrong with them."""

    checked: int = 0
    problems: list[str] = field(default_factory=list)

    def check(self, _app: Flask, response: Response) -> None:
        """Check one answer of the API; called while the request is still at hand, in whatever thread."""
        if not request.path.startswith(_API) or g.fault.effect().keys() & _UNTRUE:
            return
        self.checked += 1
        path = request.path.removeprefix("/v3")
        found = problems(request.method, path, response.status_code, response.get_data(as_text=True))
        self.problems += found


@contextmanager
def watched_answers() -> Iterator[Answers]:
    """Check all answers in this block; yield their count and problems."""
    answers = Answers()
    with request_finished.connected_to(answers.check):
        yield answers
