"""What is wrong with a running service, as a value: a code for programs, a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that needs attention; `sentence` names the cause and the cure, no secret and no person.

    `code` is snake_case and stays when the sentence is reworded. `public` is False for what strangers must
    not read: a weakness, the state of a secret, or a count that would tell what became of a sign-up.
    `planned` is a wait that ends by itself at a known time: it is named, and the service is well.
    """

    code: str
    sentence: str
    public: bool = True
    planned: bool = False
