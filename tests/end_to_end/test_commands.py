"""The `flask` command as a person types it: a process of its own in the project's folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FLASK = Path(sys.executable).parent / "flask"


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [FLASK, *words], cwd=ROOT, env=kept | environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("words", [["doctor"], ["--help"], ["routes"]])
def test_wrong_settings_are_listed_and_nothing_else(tmp_path: Path, words: list[str]) -> None:
    """Every problem with its cure, exit code 2, and no traceback, whatever the command."""
    answer = run(*words, DATA_DIR=str(tmp_path), PORT="seven", PROXY_HOPS="9")
    assert answer.returncode == 2
    assert answer.stdout == ""
    first, *problems, last = answer.stderr.splitlines()
    assert first == "Subscriber Sync cannot start:"
    assert [line.split(":")[0] for line in problems] == ["  - PROXY_HOPS", "  - PORT"]
    assert last == "Every setting is described in .env.example."


def test_a_database_of_an_unknown_kind_is_named(tmp_path: Path) -> None:
    """A DATABASE_URL that no engine understands is such a setting too."""
    answer = run("doctor", DATA_DIR=str(tmp_path), DATABASE_URL="mysql://ann:hidden@host/db")
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr.startswith("DATABASE_URL: mysql is not supported. Use postgresql://")
    assert len(answer.stderr.splitlines()) == 1


def test_right_settings_lead_to_the_commands(tmp_path: Path) -> None:
    """The help lists our commands beside Flask's."""
    answer = run("--help", DATA_DIR=str(tmp_path))
    assert answer.returncode == 0, answer.stderr
    assert {"doctor", "connection", "worker", "run"} <= set(answer.stdout.split())
    assert answer.stderr == ""
