"""One visitor against the disk: real processes, and their files as they lie there."""

import random
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from sandbox import PRESET_LIST_ID
from tests.end_to_end.processes import Deployment

POSTS, ROOM = 100, 2 * 1024
# SQLite's log, which is written over when it has grown to this; a checkpoint that waits may add to it.
LOG = 5 * 1024 * 1024
MOST_SENT = 16 * 1024


def trap_filled(size: int) -> bytes:
    """A form with the trap filled and letters that were stored as escapes of escapes, `size` bytes of it."""
    chance = random.Random(1)
    text = "".join(chance.choice('"\\é漢😀ab') for _ in range(size))
    start = f"email=eve@example.org&list_id={PRESET_LIST_ID}&website=x"
    fields = (f"&custom_fields[f{n:02}]={text[n * 250 : (n + 1) * 250]}" for n in range(50))
    body = (start + "".join(quote(field, safe='&=[]"\\é漢😀') for field in fields)).encode()
    return body[:size].decode(errors="ignore").encode()


def on_disk(deployment: Deployment) -> int:
    files = (deployment.folder / "data").rglob("*")
    return sum(file.stat().st_size for file in files if file.is_file() and file.name != "ballast")


def flood(deployment: Deployment, body: bytes) -> set[int]:
    """The statuses that as many posts were answered with."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    with requests.Session() as visitor:
        return {
            visitor.post(f"{deployment.base}/subscribe", data=body, headers=headers, timeout=10).status_code
            for _ in range(POSTS)
        }


@pytest.mark.parametrize("most_megabytes", [50, 1])
def test_one_visitor_fills_no_disk(tmp_path: Path, most_megabytes: int) -> None:
    """Bodies of 52 KB leave nothing, those of 16 KB twice that at most, and the ceiling is the end of it.

    A person is taken all the same.
    """
    ceiling = {"SUSPECTED_MOST_MEGABYTES": str(most_megabytes), "SUBSCRIBE_WAIT_SECONDS": "0"}
    deployment = Deployment(tmp_path, preset_list=PRESET_LIST_ID, **ceiling)
    deployment.app.start()
    try:
        assert deployment.subscribe("first@example.org").ok
        before = on_disk(deployment)
        assert flood(deployment, trap_filled(52 * 1024)) == {413}
        assert on_disk(deployment) - before < 64 * 1024
        body = trap_filled(MOST_SENT)
        assert len(body) > MOST_SENT - 4
        assert flood(deployment, body) <= {202, 429}
        grown = on_disk(deployment) - before
        allowed = min(POSTS * (2 * len(body) + ROOM), 2 * most_megabytes * 1024 * 1024 + 64 * 1024)
        assert grown <= allowed + LOG
        person = deployment.subscribe("person@example.org", list_ids=[PRESET_LIST_ID])
        assert person.ok
    finally:
        deployment.stop()
