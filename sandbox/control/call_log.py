"""The record of calls to the API and the token endpoint, bounded in number and in size."""

import json
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

CALLS_KEPT = 50_000
CHARACTERS_KEPT = 50_000_000


@dataclass(slots=True)
class Call:
    """One call; `number` counts from 1, `time` is in epoch seconds, `body` and `answer` are JSON texts."""

    number: int
    time: float
    method: str
    path: str
    query: str
    bearer: str | None
    body: str
    status: int | None = None
    answer: str = "null"
    fault: dict[str, Any] | None = None

    def shown(self) -> dict[str, Any]:
        """Return the call as the control endpoint shows it."""
        return {
            "number": self.number,
            "time": self.time,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "bearer": self.bearer,
            "body": json.loads(self.body),
            "status": self.status,
            "answer": json.loads(self.answer),
            "fault": self.fault,
        }


class CallLog:
    """The latest calls, as many as fit. The caller holds the world's lock."""

    def __init__(self, calls_kept: int = CALLS_KEPT, characters_kept: int = CHARACTERS_KEPT) -> None:
        """`characters_kept` bounds bodies and answers together: a page of 500 contacts is a long answer."""
        self._calls: deque[Call] = deque()
        self._calls_kept = calls_kept
        self._characters_kept = characters_kept
        self._characters = 0
        self._last = 0

    def add(self, time: float, method: str, path: str, *, query: str, bearer: str | None, body: str) -> Call:
        """Record a call that has arrived; `body` is JSON."""
        self._last += 1
        call = Call(self._last, time, method, path, query, bearer, body)
        self._calls.append(call)
        self._grow(len(body) + len(call.answer))
        return call

    def answered(self, call: Call, status: int, answer: str) -> None:
        """Record the answer, as JSON, unless the call was left out meanwhile."""
        grown = len(answer) - len(call.answer)
        call.status, call.answer = status, answer
        if self._calls and call.number >= self._calls[0].number:
            self._grow(grown)

    def after(self, number: int, limit: int | None = None) -> list[Call]:
        """Return the calls numbered above `number`, oldest first, `limit` at most."""
        left_out = self._last - len(self._calls)
        start = max(0, number - left_out)
        return list(islice(self._calls, start, None if limit is None else start + limit))

    def _grow(self, characters: int) -> None:
        self._characters += characters
        while len(self._calls) > self._calls_kept or self._characters > self._characters_kept:
            oldest = self._calls.popleft()
            self._characters -= len(oldest.body) + len(oldest.answer)
