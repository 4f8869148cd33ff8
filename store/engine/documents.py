r"""JSON as it is stored: UTF-8, without blanks, and with one byte in place of each escape of two.

A text of quotation marks would otherwise be stored at twice its length. Control characters never stand in
JSON, so six of them stand for `\\`, `\"`, `\n`, `\r`, `\t`, and for the character that
`store/outbox/payloads.py` puts where a payload refers to its sign-up. JSON that was written without them is
read as well.
"""

import json
from collections.abc import Mapping
from typing import Any

# Columns by the names that they had in earlier releases.
FORMER_NAMES = {"signup_id": "source_id"}
# The columns that hold JSON.
COLUMNS = frozenset({"person", "list_ids", "custom_fields", "tags", "sms", "payload", "reasons", "document"})
# The backslash first: in `\\"` the second backslash begins no escape.
_PACKED = (
    ("\\\\", "\x01"),
    ('\\"', "\x02"),
    ("\\n", "\x03"),
    ("\\r", "\x04"),
    ("\\t", "\x05"),
    ("\\u0006", "\x06"),
)
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False)


def written(document: object) -> str:
    """Return the document as text. Lone surrogates, which earlier releases let in, stay escapes."""
    text = _ENCODER.encode(document)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = json.dumps(document, separators=(",", ":"))
    if "\\" in text:
        for escape, packed in _PACKED:
            text = text.replace(escape, packed)
    return text


def read(text: str) -> Any:
    """Return the document; raise ValueError when the text is not JSON."""
    for escape, packed in _PACKED:
        if packed in text:
            text = text.replace(packed, escape)
    return json.loads(text)


def rows_written(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return rows by name as a JSON object: documents stand nested in it, and empty columns are left out."""
    members = ",".join(f'"{name}":{_row_written(row)}' for name, row in rows.items())
    return f"{{{members}}}"


def _row_written(row: Mapping[str, Any]) -> str:
    plain, nested = {}, []
    for name, value in row.items():
        if value is None:
            continue
        if name in COLUMNS:
            nested.append(f'"{name}":{value}')
        else:
            plain[name] = value
    text = written(plain)
    return f"{text[:-1]},{','.join(nested)}}}" if nested else text


def row_read(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row as its table has it, from a JSON object.

    Earlier releases put documents there as texts, and had other names for some columns.
    """
    columns = {FORMER_NAMES.get(name, name): value for name, value in row.items()}
    return {
        name: written(value) if name in COLUMNS and not isinstance(value, str | None) else value
        for name, value in columns.items()
    }
