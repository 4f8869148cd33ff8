"""The copy of the forms is complete at every moment, also with several writers."""

import threading
from pathlib import Path

from structlog.testing import capture_logs

from store.forms import StoredForm
from store.recovery.forms_copy import FormsCopy

ROUNDS = 300


def form(number: int) -> StoredForm:
    return StoredForm(number, f"form-{number}", "News", {"fields": ["x" * 20_000]}, ("Yes",), 1, 1, None)


def test_threads_that_write_at_once_leave_it_whole(tmp_path: Path) -> None:
    """Requests and housekeeping of one process may write it at the same time."""
    copy, whole = FormsCopy(tmp_path / "known-forms.json"), True
    copy.keep([form(0)])

    def write(first: int) -> None:
        for number in range(first, first + ROUNDS):
            copy.keep([form(number)])

    with capture_logs() as logs:
        writers = [threading.Thread(target=write, args=(first,)) for first in (1, 10_000)]
        for writer in writers:
            writer.start()
        while any(writer.is_alive() for writer in writers):
            whole = whole and len(copy.kept()) == 1
        for writer in writers:
            writer.join()
    assert whole
    assert logs == []
    assert [file.name for file in tmp_path.iterdir()] == ["known-forms.json"]
