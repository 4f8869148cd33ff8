"""Sign-ups as a table for spreadsheets or as lines of JSON, made one by one in constant memory."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator

from services.plain_text import through, writable
from services.signups.advice import moment
from services.submission.fields import ASKED, PERSON_FIELDS, RECORDED
from store.signups.records import SignupRecord

_OF_PERSON = {name: ASKED[name].column or name for name in PERSON_FIELDS}
COLUMNS = (
    *("id", "received_at", "email", *_OF_PERSON.values(), "custom_fields", "list_ids", "tags", "source"),
    *(
        "form",
        "consent_version",
        "consent",
        "consent_sent",
        "page",
        *RECORDED,
        "network_address",
        "user_agent",
        "asked_by",
    ),
    *("sms_number", "sms_country", "sms_consent", "sms_consent_version", "sms_consent_sent", "sms_page"),
    *("state", "attempts", "last_error", "finished_at", "action", "contact_id", "note"),
)
# A cell that begins with one of these, full-width forms included, is a formula to spreadsheets: whoever opens
# the file would run what a stranger wrote. https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = "=+\\-@＝＋－＠"
# So it is behind a separator that a spreadsheet of another country takes for the end of a cell or row.
_LEADS_TO_FORMULA = re.compile(rf"(?<=.)([;\t\r\n][\s\"]*)(?=[{_FORMULA}])", re.DOTALL)
_IS_FORMULA = re.compile(rf"[\s\"]*[{_FORMULA}]|[\t\r\n]")
# Excel reads a file as UTF-8 only if it begins with this.
BYTE_ORDER_MARK = "\ufeff"


def csv_lines(records: Iterable[SignupRecord]) -> Iterator[str]:
    """Yield a table (RFC 4180) with a header and a row for each record, as Excel reads it too.

    An apostrophe leads what could be taken for a formula. U+FFFD stands for characters that cannot be
    written or would steer a terminal.
    """
    yield BYTE_ORDER_MARK + _row(COLUMNS)
    for record in records:
        members = _members(record)
        members["list_ids"] = " ".join(record.list_ids)
        # Names may hold any character, so nothing simpler could be read back.
        for name in ("custom_fields", "tags"):
            said = through(members[name], writable, twice=True)
            members[name] = json.dumps(said, ensure_ascii=False) if said else None
        yield _row(_defused(_writable(members.get(name))) for name in COLUMNS)


def json_lines(records: Iterable[SignupRecord]) -> Iterator[str]:
    """Yield a JSON object a line, with every column and the text as submitted; U+FFFD as in the table."""
    for record in records:
        members = _members(record)
        line = {name: through(members.get(name), writable, twice=True) for name in COLUMNS}
        yield json.dumps(line, ensure_ascii=False) + "\n"


def _members(record: SignupRecord) -> dict[str, object]:
    finished_at = None if record.finished_at is None else moment(record.finished_at)
    times = {"received_at": moment(record.received_at), "finished_at": finished_at}
    person = {_OF_PERSON.get(name, name): value for name, value in record.person.items()}
    sms = {f"sms_{name}": value for name, value in (record.sms or {}).items()}
    return {**vars(record), **person, **sms, **times}


def _row(cells: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()


def _writable(cell: object) -> object:
    return writable(cell) if isinstance(cell, str) else cell


def _defused(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    defused = _LEADS_TO_FORMULA.sub(r"\1'", cell)
    return f"'{defused}" if _IS_FORMULA.match(cell) else defused
