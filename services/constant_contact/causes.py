"""Why a call failed on the way, in words for a person and without secrets.

The text of an exception of requests holds the address that was called, and with it people's addresses. So the
innermost cause is looked for, and known causes have words of our own.
"""

import re
import socket
import ssl
from collections.abc import Iterator

# What requests says of REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and client certificates that are not there.
MISSING_FILE = re.compile(r"invalid path: (.{1,200})")
# What may be a token, an e-mail address or a URL.
PRIVATE = re.compile(r"\S*(?:@|://|\?|=)\S*|[\w.~+/-]{25,}|(?i:bearer|basic)\s+\S+")
LONGEST = 120
DEEPEST = 12
# The classes of Python, requests, urllib3 and of our own sessions; the texts of most hold addresses.
BY_NAME = {
    "AnswerTooLarge": "the answer is larger than 2 MB",
    "BrokenPipeError": "the connection was cut",
    "ConnectTimeout": "no connection within its time",
    "ConnectTimeoutError": "no connection within its time",
    "ConnectionRefusedError": "the connection was refused",
    "ConnectionResetError": "the connection was cut",
    "ContentDecodingError": "the answer cannot be decompressed",
    "DecodeError": "the answer cannot be decompressed",
    "IncompleteRead": "the answer was cut off",
    "InvalidChunkLength": "the answer is broken",
    "ProxyError": "the proxy in between failed",
    "ReadTimeout": "no answer within its time",
    "ReadTimeoutError": "no answer within its time",
    "RemoteDisconnected": "the connection was closed without an answer",
}


def words_of(error: BaseException) -> str:
    """Return the cause in a few words, as in "certificate verify failed: certificate has expired"."""
    chain = list(_chain(error))
    for cause in chain:
        if words := _known(cause):
            return words
    return next((words for cause in reversed(chain) if (words := _own(cause))), type(error).__name__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and its causes, outermost first; urllib3 keeps causes in arguments."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < DEEPEST:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = [getattr(cause, "reason", None), *cause.args, cause.__cause__, cause.__context__]
        waiting += [each for each in inner if isinstance(each, BaseException)]


def _known(cause: BaseException) -> str | None:
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = getattr(cause, "verify_message", "") or "see the certificate"
        return f"certificate verify failed: {_clean(said)}"
    if type(cause) is ssl.SSLError:
        return f"TLS failed: {_clean(getattr(cause, 'reason', None) or 'no reason given')}"
    if isinstance(cause, socket.gaierror):
        return "its name is not found in the DNS"
    missing = MISSING_FILE.search(_text(cause)) if isinstance(cause, OSError) else None
    if missing:
        return f"the certificate file {missing[1]} is missing"
    return BY_NAME.get(type(cause).__name__)


def _own(cause: BaseException) -> str | None:
    """Return the name of the class, and its text without addresses and tokens."""
    module = type(cause).__module__.partition(".")[0]
    if module in {"requests", "urllib3"}:
        return type(cause).__name__
    said = _clean(_text(cause))
    return f"{type(cause).__name__}: {said}" if said else type(cause).__name__


def _text(cause: BaseException) -> str:
    try:
        return str(cause)
    except Exception:  # noqa: BLE001 - an exception whose text cannot be read still has a class
        return ""


def _clean(text: str) -> str:
    line = " ".join(text.split())[: 4 * LONGEST]
    printable = "".join(sign for sign in line if sign.isprintable())
    return PRIVATE.sub("…", printable)[:LONGEST]
