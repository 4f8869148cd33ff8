"""One line per event on standard error: readable in development, JSON in production.

Secrets never get this far by design; the redaction here is the second fence.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any, TextIO

import structlog

# Bearer and Basic credentials, JWTs, and the parameters of OAuth that are worth stealing.
SECRET = re.compile(
    r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]*"
    r"|\b(access_token|refresh_token|code|code_verifier|client_secret|password|state)=[^&\s\"']+"
)
SECRET_NAMES = frozenset(
    {"authorization", "password", "token", "access_token", "refresh_token", "client_secret", "code"}
)
# What every match of the two patterns contains.
MAY_HIDE = re.compile(r"(?i)[@=\s]|eyJ")
ADDRESS = re.compile(r"([\w.+-])[\w.+-]*@([\w-]+\.[\w.-]+)")
HIDDEN = "[hidden]"

# One list for good: loggers keep the one that they first met.
_chain: list[Any] = []


class _StandardError(logging.StreamHandler[TextIO]):
    """Writes to whatever standard error is now; one that is replaced later is followed."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr


class _Lines:
    """Where our own lines go: straight there, because the standard library's way there takes far longer."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def write(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")

    debug = info = warning = error = critical = write


def redact(_logger: Any, _method: str, event: Any) -> Any:
    """Hide secrets by name and by shape, and mask e-mail addresses, in every value of an event."""
    return {name: HIDDEN if name in SECRET_NAMES else _clean(value) for name, value in event.items()}


def _clean(value: Any) -> Any:
    # Most values hold none of the signs, and looking for them is far cheaper than the two substitutions.
    if isinstance(value, str) and MAY_HIDE.search(value):
        return ADDRESS.sub(r"\1***@\2", SECRET.sub(HIDDEN, value))
    return value


def configure(*, production: bool) -> None:
    """Send structlog's lines and the standard library's records to standard error in one form."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Plain tracebacks: local variables hold tokens and people's data.
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if production
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    _chain[:] = [*shared, redact, renderer]
    structlog.configure(
        processors=_chain,
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=_Lines,
        cache_logger_on_first_use=True,
    )
    handler = _StandardError()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [*(kept for kept in root.handlers if not isinstance(kept, _StandardError)), handler]
    root.setLevel(logging.INFO)
    for chatty in ("urllib3", "alembic", "werkzeug", "sqlalchemy"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
