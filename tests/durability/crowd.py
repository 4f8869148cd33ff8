"""Visitors who sign up, try again until they are thanked, and note each thanks in a file of their own."""

import http.client
import json
import os
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.durability.machines.fleet import LISTS

_AGAIN_SECONDS = 0.1
_THANKS = (200, 201, 202)


@dataclass
class Crowd:
    """People `0…people-1`; every tenth signs up again, with other lists, once or twice.

    What each of them does follows from the seed. `pace` is in people a second; with 0 they come as fast as
    they are answered. The file `notes` gets a line before each try and, with an fsync, after each thanks.
    """

    bases: Sequence[str]
    notes: Path
    seed: int
    people: int
    threads: int = 8
    pace: float = 0
    repeats: float = 0.1
    seconds: list[float] = field(default_factory=list)
    thanked_at: list[float] = field(default_factory=list)
    refused: int = 0
    gave_up: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._file = os.open(self.notes, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._lock = threading.Lock()
        self._next = 0
        self._began = 0.0
        self._threads = [
            threading.Thread(target=self._come, args=(number,), daemon=True) for number in range(self.threads)
        ]

    def start(self) -> "Crowd":
        """Let the people come, in threads."""
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def join(self, seconds: float | None = None) -> None:
        """Wait until everybody was thanked.

        Raises:
            TimeoutError: after `seconds`.
        """
        end = None if seconds is None else time.monotonic() + seconds
        for thread in self._threads:
            thread.join(None if end is None else max(0.0, end - time.monotonic()))
            if thread.is_alive():
                self.gave_up.set()
                raise TimeoutError(f"not everybody was thanked within {seconds} s")
        os.close(self._file)

    @property
    def arrived(self) -> int:
        """How many people have come so far."""
        return min(self._next, self.people)

    def longest_silence(self) -> float:
        """Return the longest time in seconds between two thanks."""
        times = sorted(self.thanked_at)
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)

    def _come(self, number: int) -> None:
        connection = _Connection(self.bases[number % len(self.bases)])
        while (person := self._next_person()) is not None and not self.gave_up.is_set():
            chance = random.Random(f"{self.seed}-{person}")
            times = 1 if chance.random() >= self.repeats else chance.randint(2, 3)
            for visit in range(times):
                lists = chance.sample(LISTS, chance.randint(1, 2))
                self._until_thanked(connection, f"p{person}@example.org", f"v{person}.{visit}", lists)
        connection.close()

    def _next_person(self) -> int | None:
        with self._lock:
            person, self._next = self._next, self._next + 1
        if person >= self.people:
            return None
        if self.pace:
            self.gave_up.wait(max(0.0, self._began + person / self.pace - time.monotonic()))
        return person

    def _until_thanked(self, connection: "_Connection", email: str, visit: str, lists: list[str]) -> None:
        attempt = 0
        while not self.gave_up.is_set():
            name = f"{visit}.{attempt}"
            attempt += 1
            self._note({"asked": name, "email": email, "lists": lists})
            began = time.monotonic()
            status, answer = connection.post({"email": email, "first_name": name, "list_ids": lists})
            if status in _THANKS:
                self.seconds.append(time.monotonic() - began)
                self.thanked_at.append(time.monotonic())
                self._note({"thanked": name, "email": email, "lists": lists, "id": answer["id"]}, sync=True)
                return
            self.refused += 1
            self.gave_up.wait(_AGAIN_SECONDS)

    def _note(self, line: dict[str, Any], *, sync: bool = False) -> None:
        with self._lock:
            os.write(self._file, json.dumps(line).encode() + b"\n")
        if sync:
            os.fsync(self._file)


class _Connection:
    """A kept connection to one instance, opened anew when it broke."""

    def __init__(self, base: str) -> None:
        parts = urlsplit(base)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=30)

    def close(self) -> None:
        """Close the connection; a later post opens it again."""
        self._connection.close()

    def post(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Return the status and the JSON; status 0 where the connection broke and the outcome is unknown."""
        try:
            self._connection.request(
                "POST", "/subscribe", json.dumps(body), {"Content-Type": "application/json"}
            )
            answer = self._connection.getresponse()
            data = answer.read()
            return answer.status, json.loads(data)
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            return 0, {}
