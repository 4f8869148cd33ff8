"""The app as `gunicorn --preload` loads it, while threads of the parent hold locks at each fork."""

import json
import os
import threading
from pathlib import Path
from typing import Any

from app import create_app

WORKERS = 3

app = create_app()
_database = app.extensions["parts"].database
_database.prepare()
app.extensions["parts"].connection.plant_seed()
_locked = threading.Event()
_forks = threading.Semaphore(0)
os.register_at_fork(after_in_parent=_forks.release)


@app.get("/threads")
def threads() -> dict[str, Any]:
    """Which process answers, and what runs in it."""
    return {"pid": os.getpid(), "threads": [thread.name for thread in threading.enumerate()]}


def _hold_the_turn_to_write() -> None:
    with _database._backend.write_lock():
        _locked.set()
        for _ in range(WORKERS):
            _forks.acquire(timeout=10)
    parent = Path(os.environ["DATA_DIR"]) / "parent.json"
    parent.write_text(json.dumps([thread.name for thread in threading.enumerate()]))


# The first takes the process's lock of the token care, and has sent the refresh when the second begins.
_refresh = threading.Thread(target=app.extensions["services"].connection_control.refresh, daemon=True)
_refresh.start()
_refresh.join(1)
threading.Thread(target=_hold_the_turn_to_write, daemon=True).start()
_locked.wait(5)
