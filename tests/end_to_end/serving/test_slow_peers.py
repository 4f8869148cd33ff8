"""Peers that send, read or close slowly or never, and a worker that is frozen: the others notice nothing."""

import os
import re
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
import requests

from sandbox import PRESET_LIST_ID
from tests.end_to_end.processes import Deployment, wait_for
from tests.end_to_end.slow_peers import dripping

# Far above what an answer takes on a busy machine, and far below any of the server's own limits.
SOON_SECONDS = 4
UNLIMITED = {"SIGNUPS_PER_MINUTE_AND_ADDRESS": "0", "SIGNUPS_PER_MINUTE_AND_NETWORK": "0"}


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment that many sign-ups may come to from one address."""
    deployment = Deployment(tmp_path_factory.mktemp("busy"), preset_list=PRESET_LIST_ID, **UNLIMITED)
    deployment.start()
    wait_for("both workers", lambda: len(workers(deployment)) == 2)
    yield deployment
    deployment.stop()


def workers(deployment: Deployment) -> list[int]:
    master = deployment.app.pid
    return [int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()]


def port_of(deployment: Deployment) -> int:
    return int(deployment.base.rsplit(":", 1)[1])


def listens(pid: int, port: int) -> bool:
    """Whether the process holds the socket at which connections arrive."""
    listening = {
        columns[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()
        if (columns := line.split())[1].endswith(f":{port:04X}") and columns[3] == "0A"
    }
    return any(f"socket:[{inode}]" in open_files(pid) for inode in listening)


def open_files(pid: int) -> list[str]:
    """Those of a process; fewer when files are closed meanwhile, none when it has ended."""
    names = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                names.append(str(link.readlink()))
    return names


def check_that_visitors_are_served(deployment: Deployment, visits: int = 10) -> None:
    """Posts and looks at /health, each on a connection of its own."""
    for number in range(visits):
        began = time.monotonic()
        assert deployment.subscribe(f"honest{number}@example.org").status_code == 202
        assert deployment.health()["status"]
        assert time.monotonic() - began < SOON_SECONDS


def test_connections_that_drip_hold_up_nobody(busy: Deployment) -> None:
    """400 of them, in the head, in the body, in a chunk and before an invitation."""
    with dripping(port_of(busy), connections=400, pause=0.5):
        check_that_visitors_are_served(busy)
        sockets = sum(name.startswith("socket:") for pid in workers(busy) for name in open_files(pid))
    assert sockets >= 400, "the slow peers are to be connected all the while"


def test_peers_that_do_not_read_hold_up_nobody(busy: Deployment) -> None:
    """40 that ask for more than the system keeps for them, and take none of it."""
    with ExitStack() as stack:
        for _ in range(40):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(busy))))
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            peer.sendall(b"GET /static/vendor/pico.min.css HTTP/1.1\r\nHost: a\r\n\r\n" * 60)
        check_that_visitors_are_served(busy)


def test_peers_that_do_not_close_hold_up_nobody(busy: Deployment) -> None:
    """40 whose answer said that the connection ends, and who stay."""
    with ExitStack() as stack:
        for _ in range(40):
            peer = stack.enter_context(socket.create_connection(("127.0.0.1", port_of(busy))))
            peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
        check_that_visitors_are_served(busy)


@pytest.mark.skipif(shutil.which("prlimit") is None, reason="needs prlimit")
def test_more_connections_than_there_may_be_open_files_hold_up_nobody(tmp_path: Path) -> None:
    """Who has waited longest gives way; no worker ends."""
    deployment = Deployment(tmp_path, preset_list=PRESET_LIST_ID, **UNLIMITED)
    deployment.app.command = ["prlimit", "--nofile=400:400", *deployment.app.command]
    deployment.start()
    try:
        wait_for("both workers", lambda: len(workers(deployment)) == 2)
        before = workers(deployment)
        with dripping(port_of(deployment), connections=600, pause=1):
            check_that_visitors_are_served(deployment)
        assert workers(deployment) == before
    finally:
        deployment.stop()


def test_a_frozen_worker_keeps_no_new_visitor_waiting(busy: Deployment) -> None:
    """Whichever of the two it is; what it had accepted before is answered when it goes on."""
    for worker in workers(busy):
        with socket.create_connection(("127.0.0.1", port_of(busy))) as early:
            early.sendall(b"GET / HTTP/1.1\r\n")
            os.kill(worker, signal.SIGSTOP)
            try:
                check_that_visitors_are_served(busy)
            finally:
                os.kill(worker, signal.SIGCONT)
            early.settimeout(SOON_SECONDS)
            early.sendall(b"Host: a\r\n\r\n")
            assert early.recv(20).startswith(b"HTTP/1.1 200")


def test_the_ways_to_send_a_request(busy: Deployment) -> None:
    """Chunks, an invitation, HTTP/1.0, two requests at once; what is malformed is refused and ends."""
    body = f'{{"email":"ann@example.org","list_id":"{PRESET_LIST_ID}"}}'.encode()
    head = (
        b"POST /subscribe HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nPrefer: respond-async\r\n"
    )
    length = b"Content-Length: %d\r\n" % len(body)
    chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    home = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    answers = {
        head + length + b"\r\n" + body + last: ["202", "200"],
        head + chunked + last: ["202", "200"],
        home + home + last: ["200", "200", "200"],
        b"GET / HTTP/1.0\r\n\r\n": ["200"],
        b"\r\n" + last: ["200"],
        head + length + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + last: ["400"],
        head + length + length + b"\r\n" + body + last: ["400"],
        head + b"Content-Length: 5000000\r\n\r\n" + last: ["413"],
        b"GET / HTTP/1.1\n\n" + last: ["400"],
        head + b"Expect: 200-ok\r\n\r\n" + last: ["417"],
        b"GET /" + b"a" * 40_000: ["431"],
    }
    assert {sent: statuses(busy, sent) for sent in answers} == answers


def test_who_asks_first_is_invited(busy: Deployment) -> None:
    """100 Continue comes before the body does, and only once."""
    with socket.create_connection(("127.0.0.1", port_of(busy)), timeout=SOON_SECONDS) as peer:
        head = (
            b"POST /subscribe HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nConnection: close\r\n"
        )
        peer.sendall(head + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert peer.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.sendall(b"{}")
        assert peer.recv(20).startswith(b"HTTP/1.1 422")


def test_half_a_form_is_not_taken_for_a_whole_one(busy: Deployment) -> None:
    """A body that is cut off reaches nobody: what is there of it would pass for a sign-up."""
    before = busy.health()["pending"]
    form = f"list_id={PRESET_LIST_ID}&email=ann@example.org&first_name=Ann"
    with socket.create_connection(("127.0.0.1", port_of(busy)), timeout=SOON_SECONDS) as peer:
        kind = "Content-Type: application/x-www-form-urlencoded"
        head = f"POST /subscribe HTTP/1.1\r\nHost: a\r\n{kind}\r\nContent-Length: {len(form)}\r\n\r\n"
        peer.sendall(head.encode() + form[:-2].encode())
        peer.shutdown(socket.SHUT_WR)
        assert peer.recv(100) == b""
    assert busy.health()["pending"] == before


def statuses(deployment: Deployment, sent: bytes) -> list[str]:
    """The status of each answer to these bytes, until the server ends the connection."""
    with socket.create_connection(("127.0.0.1", port_of(deployment)), timeout=SOON_SECONDS) as peer:
        peer.sendall(sent)
        answer = b""
        while piece := peer.recv(100_000):
            answer += piece
    return [status.decode() for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


def test_a_reload_answers_everybody(busy: Deployment) -> None:
    """30 posts a second, on new and on kept connections, over three reloads: all are stored."""
    thanked, before_all = 0, busy.health()["pending"]
    # Servers are not counted as one visitor is, and need not wait for the delivery.
    headers = {"Authorization": f"Bearer {busy.api_key}", "Prefer": "respond-async"}
    kept = [requests.Session() for _ in range(6)]
    with ExitStack() as stack:
        for session in kept:
            stack.enter_context(session)
        for _ in range(3):
            before = workers(busy)
            os.kill(busy.app.pid, signal.SIGHUP)
            end = time.monotonic() + 20
            extra = 30  # a second more on the new workers
            while extra:
                assert time.monotonic() < end, "the reload takes too long"
                extra -= not set(before) & set(workers(busy))
                body = {"email": f"p{thanked}@example.org", "list_id": PRESET_LIST_ID}
                began = time.monotonic()
                post = kept[thanked // 2 % 6].post if thanked % 2 else requests.post
                answer = post(f"{busy.base}/subscribe", json=body, headers=headers, timeout=20)
                assert answer.status_code == 202
                assert time.monotonic() - began < SOON_SECONDS
                thanked += 1
                time.sleep(1 / 30)
    assert busy.health()["pending"] - before_all == thanked


def test_a_request_that_has_begun_is_answered_by_a_worker_that_ends(busy: Deployment) -> None:
    """And the peer is told that the connection ends."""
    with ExitStack() as stack:
        peers = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port_of(busy)), timeout=20))
            for _ in range(8)
        ]
        for peer in peers:
            peer.sendall(b"GET / HTTP/1.1\r\n")
        check_that_visitors_are_served(busy, 1)  # by now those are accepted
        ending = workers(busy)
        os.kill(busy.app.pid, signal.SIGHUP)
        wait_for("the end of accepting", lambda: not any(listens(pid, port_of(busy)) for pid in ending))
        for peer in peers:
            peer.sendall(b"Host: a\r\n\r\n")
        for peer in peers:
            answer = peer.recv(100_000)
            assert answer.startswith(b"HTTP/1.1 200")
            assert b"Connection: close" in answer
