"""What a use case may refuse, each with the facts a caller needs to answer.

ServiceError
├── MalformedSubmission   the request cannot be read at all
├── InvalidSubmission     fields are missing or wrong; every one is named
├── InvalidForm           a form cannot be saved like this; every field is named
├── KeyReused             that Idempotency-Key came with another sign-up
├── StorageUnavailable    nothing can be stored now; try again later
├── TooManyAttempts       slow down
└── ListsUnavailable      the lists were never fetched and cannot be now
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One field that must change, with a sentence for the person who filled it in."""

    field: str
    message: str


class ServiceError(Exception):
    """Root of everything a use case refuses; the text is a plain sentence fit for a visitor."""


class MalformedSubmission(ServiceError):
    """The body is not what its content type says, or a header cannot be used."""


class InvalidSubmission(ServiceError):
    """Fields are missing or wrong; nothing was stored."""

    def __init__(
        self, errors: Iterable[FieldError], *, form: str | None = None, ignored: Iterable[str] = ()
    ) -> None:
        """Keep every error, in the order of the fields.

        `form` is the short name that the body gave; `ignored` are names in it that nobody understood.
        """
        self.errors = tuple(errors)
        self.form, self.ignored = form, tuple(ignored)
        super().__init__("Some fields need another look.")


class InvalidForm(ServiceError):
    """A form cannot be saved as it was filled in; nothing was changed."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        """Keep every error, in the order of the fields."""
        self.errors = tuple(errors)
        super().__init__("The form could not be saved; some fields need another look.")


class KeyReused(ServiceError):
    """The Idempotency-Key is taken by another sign-up; this one was not stored."""

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key came with another sign-up before; this one was not stored.")


class StorageUnavailable(ServiceError):
    """Sign-ups cannot be stored at the moment; nothing was accepted."""

    def __init__(self, retry_after: int = 30) -> None:
        """`retry_after` is in seconds."""
        self.retry_after = retry_after
        super().__init__("Sign-ups cannot be stored at the moment. Please try again shortly.")


class TooManyAttempts(ServiceError):
    """Too many tries from one place; `retry_after` is in seconds."""

    def __init__(self, retry_after: int) -> None:
        """`retry_after` is in seconds."""
        self.retry_after = retry_after
        super().__init__("Too many attempts. Please wait before you try again.")


class ListsUnavailable(ServiceError):
    """The account's lists are not known yet and cannot be fetched now."""
