"""The limits of real processes, whose clock the test moves: no minute and no hour holds more than may."""

import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest
import requests

from sandbox import PRESET_LIST_ID
from tests.durability.machines.clock import COMPILER, Clock
from tests.end_to_end.processes import Deployment

pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler: apt install gcc")

ONE, OTHER = "8.8.4.4", "9.9.9.9"
numbers = count()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Deployment, Clock]]:
    """Two workers of the app on SQLite behind one proxy, with the limits as they come."""
    folder: Path = tmp_path_factory.mktemp("limits")
    clock = Clock(folder)
    settings = {
        "PROXY_HOPS": "1",
        "DELIVERY": "off",
        "SUBSCRIBE_WAIT_SECONDS": "0",
        "SIGNUPS_PER_MINUTE_AND_NETWORK": "100",
        "SIGNUPS_PER_MINUTE_AND_FORM": "600",
        **clock.environ,
    }
    deployment = Deployment(folder, preset_list=PRESET_LIST_ID, **settings)
    deployment.app.start()
    yield deployment, clock
    deployment.app.stop()


def post(deployment: Deployment, times: int, sender: Callable[[int], str], **fields: str) -> int:
    """Post from eight connections at once, as the proxy passes it on; how many were believed."""
    before = believed(deployment)

    def send(number: int) -> int:
        body = {"email": f"p{next(numbers)}@example.org", "list_id": PRESET_LIST_ID, **fields}
        headers = {"X-Forwarded-For": sender(number)}
        return requests.post(
            f"{deployment.base}/subscribe", json=body, headers=headers, timeout=30
        ).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(times))) == {202}
    return believed(deployment) - before


def believed(deployment: Deployment) -> int:
    with sqlite3.connect(deployment.folder / "data" / "subscriber-sync.db") as database:
        found: int = database.execute("SELECT count(*) FROM signups").fetchone()[0]
    return found


def test_a_minutes_edge_lets_nobody_in_twice(service: tuple[Deployment, Clock]) -> None:
    """Twenty just before it and twenty just after it are twenty too many; others are not concerned."""
    deployment, clock = service
    assert requests.get(deployment.base, timeout=5).ok
    post(deployment, 1, lambda _: OTHER)  # the file is there from now on
    clock.jump(120 - clock.now() % 60 - 0.5)
    first = post(deployment, 20, lambda _: ONE)
    clock.jump(max(0.0, 60.4 - clock.now() % 60))
    assert (first, post(deployment, 20, lambda _: ONE)) == (20, 0)
    assert post(deployment, 5, lambda _: OTHER) == 5
    clock.jump(71)
    assert post(deployment, 20, lambda _: ONE) == 20


def test_minutes_add_up(service: tuple[Deployment, Clock]) -> None:
    """Twenty every two minutes are six hundred an hour; a hundred are believed."""
    deployment, clock = service
    clock.jump(3 * 3_600)
    found = 0
    for _ in range(9):
        found += post(deployment, 20, lambda _: OTHER)
        clock.jump(121)
    assert found == 100


def test_a_rented_network_is_one_sender(service: tuple[Deployment, Clock]) -> None:
    """Another /64 for each post, out of one /48; and one /64 with another address each time."""
    deployment, clock = service
    clock.jump(3 * 3_600)
    assert post(deployment, 220, lambda n: f"2a00:1450:4001:{n:x}::1") == 200
    assert post(deployment, 110, lambda n: f"2a00:1450:4002:1::{n:x}") == 100


def test_a_proxy_that_is_not_counted_is_one_sender(service: tuple[Deployment, Clock]) -> None:
    """What is not on the internet has the limit of a network, whatever it is."""
    deployment, clock = service
    clock.jump(3 * 3_600)
    assert post(deployment, 120, lambda n: f"10.0.{n}.1" if n % 2 else "192.168.1.7") == 100


def test_trapped_programs_leave_people_behind_the_same_address_alone(
    service: tuple[Deployment, Clock],
) -> None:
    """All are answered alike; of the trapped ones a hundred are kept."""
    deployment, clock = service
    clock.jump(3 * 3_600)
    assert post(deployment, 150, lambda _: ONE, website="x") == 0
    assert post(deployment, 20, lambda _: ONE) == 20
    with sqlite3.connect(deployment.folder / "data" / "subscriber-sync.db") as database:
        kept = database.execute("SELECT count(*) FROM suspected_signups WHERE reasons LIKE '%honeypot%'")
        assert kept.fetchone() == (100,)
