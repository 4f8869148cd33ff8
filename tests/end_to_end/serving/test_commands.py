"""The `flask` command as a person types it: a process of its own in the project's folder."""

import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from sandbox import PRESET_LIST_ID
from tests.end_to_end.consent import connect
from tests.end_to_end.processes import Deployment

REFUSED = [{"error_key": "contacts.api.validation.error", "error_message": "No such custom field."}]
ROOT = Path(__file__).parents[3]
FLASK = Path(sys.executable).parent / "flask"


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [FLASK, *words], cwd=ROOT, env=kept | environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("words", [["doctor"], ["--help"]])
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


@pytest.fixture
def undelivered(tmp_path: Path) -> Iterator[Deployment]:
    """Running web processes that only accept, so that it is the test that says when something is sent."""
    deployment = Deployment(tmp_path, preset_list=PRESET_LIST_ID, DELIVERY="off")
    deployment.start()
    connect(deployment)
    yield deployment
    deployment.stop()


def test_a_refused_signup_is_found_mended_and_sent_again(undelivered: Deployment) -> None:
    """While the service runs: list, show, retry, and the sign-up arrives; the export holds it."""
    ours = partial(run, **undelivered.app.env)
    signup_id = undelivered.subscribe("ann@example.org", source="=1+1").json()["id"]
    undelivered.faults(status=400, body=REFUSED)
    assert "parked 1" in ours("drain").stdout
    listed = ours("signups", "list", "--state", "parked").stdout
    assert listed.startswith(f"{signup_id}  ")
    assert "parked     ann@example.org  " in listed
    shown = ours("signups", "show", signup_id).stdout
    assert f"run `flask signups retry {signup_id}`" in shown
    assert shown.count("No such custom field.") == 2
    undelivered.heal()
    assert ours("signups", "retry", signup_id).stdout.startswith(f"{signup_id} is due again.\n")
    assert "delivered 1" in ours("drain").stdout
    assert undelivered.status(signup_id) == "subscribed"
    header, row, *_ = ours("signups", "export").stdout.splitlines()
    assert row.split(",")[header.split(",").index("source")] == "'=1+1"
