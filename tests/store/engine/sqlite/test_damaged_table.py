"""Reading around damage: exactly what can be read, and a count of what cannot."""

import os
from contextlib import closing
from pathlib import Path
from typing import Any

from store.engine.sqlite import driver
from store.engine.sqlite.damaged_table import Gap, read

PAGE = 4096
ROWS = 600


def readable_alone(source: Any, number: int) -> bool:
    try:
        return bool(source.execute("SELECT * FROM t WHERE rowid = ?", (number,)).fetchall())
    except driver.DatabaseError:
        return False


def test_every_row_that_can_be_read_is_read(tmp_path: Path) -> None:
    """Damaged pages cost the rows on them, which are counted, and no others."""
    file = tmp_path / "t.db"
    with closing(driver.connect(str(file))) as made:
        made.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)")
        made.executemany("INSERT INTO t VALUES (?, ?)", [(n, "x" * 300) for n in range(1, ROWS + 1)])
        made.commit()
    with file.open("r+b") as content:
        for page in (10, 12, 13, 25):
            content.seek(page * PAGE)
            content.write(os.urandom(PAGE))
    with closing(driver.connect(str(file))) as source:
        source.execute("PRAGMA cell_size_check = ON")
        expected = [number for number in range(1, ROWS + 1) if readable_alone(source, number)]
        found = list(read(source, "t"))
    assert 0 < len(expected) < ROWS
    assert [entry["id"] for entry in found if not isinstance(entry, Gap)] == expected
    gaps = [entry.rows for entry in found if isinstance(entry, Gap)]
    assert len(gaps) == 3
    assert sum(rows or 0 for rows in gaps) == ROWS - len(expected)


def test_a_table_that_is_gone_is_one_gap_of_unknown_size(tmp_path: Path) -> None:
    """Where the table itself cannot be found, the number of its rows is unknown."""
    with closing(driver.connect(str(tmp_path / "t.db"))) as source:
        assert list(read(source, "t")) == [Gap(None)]
