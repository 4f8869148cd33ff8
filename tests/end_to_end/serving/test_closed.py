"""Closed beside the proxy: real servers, attacked with what a stranger can send."""

import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.security import generate_password_hash

from sandbox import PRESET_LIST_ID
from tests.end_to_end.processes import ROOT, Deployment, Process, wait_for
from tests.support.ports import free_port

BINARIES = Path(sys.executable).parent
SETTINGS = {
    "APP_ENV": "production",
    "PUBLIC_BASE_URL": "https://signup.example.org",
    "CONSTANT_CONTACT_CLIENT_ID": "client",
    "CONSTANT_CONTACT_CLIENT_SECRET": "the secret of that client",
    "SECRET_KEY": Deployment.secret_key,
    "ENCRYPTION_KEYS": Deployment.encryption_key,
    # A cheap hash: the guesses are about their number.
    "ADMIN_PASSWORD": generate_password_hash(Deployment.password, "scrypt:1024:8:1"),
    "API_KEYS": Deployment.api_key,
    "PUBLIC_LIST_IDS": PRESET_LIST_ID,
}
PUBLIC_HOST = {"Host": "signup.example.org"}


class Production(Process):
    """gunicorn as an operator starts it: what it is told stands in `.env`, in the folder that it runs in."""

    def __init__(self, folder: Path, *, platform: bool, settings: Mapping[str, str]) -> None:
        """On a `platform` the host sets PORT, in the environment of the process."""
        self.folder, self.port = folder, free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        port = {"PORT": str(self.port)}
        self.tell(settings if platform else {**port, **settings})
        serve = f"{BINARIES / 'gunicorn'} -c {ROOT / 'gunicorn.conf.py'} 'app:create_app()'"
        super().__init__(
            "the app",
            ["sh", "-c", f"cd {folder} && exec {serve}"],
            env={"PYTHONPATH": str(ROOT)} | (port if platform else {}),
            url=f"{self.base}/",
            log=folder / "app.log",
        )

    def tell(self, settings: Mapping[str, str]) -> None:
        """Write `.env`, for the next start."""
        lines = {**SETTINGS, "DATA_DIR": str(self.folder / "data"), **settings}
        (self.folder / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in lines.items()))

    def listening(self) -> set[str]:
        """The addresses on which it listens, as the kernel knows them (proc(5), /proc/net/tcp)."""
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        places = [line[1].split(":") for line in lines if line[3] == "0A"]
        return {
            socket.inet_ntoa(bytes.fromhex(address)[::-1])
            for address, port in places
            if int(port, 16) == self.port
        }

    def flask(self, *command: str) -> str:
        """What a `flask` command prints, run beside the server."""
        ended = subprocess.run(
            [BINARIES / "flask", "--app", "app:app_for_commands", *command],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return ended.stdout + ended.stderr

    def problems(self) -> str:
        """What `/health` tells the holder of an API key."""
        key = {"Authorization": f"Bearer {Deployment.api_key}"}
        answer = requests.get(f"{self.base}/health", headers=key, timeout=5)
        return " ".join(map(str, answer.json()["problems"]))

    def column(self, query: str) -> list[Any]:
        """The first column of what the database holds."""
        with closing(sqlite3.connect(self.folder / "data" / "subscriber-sync.db")) as database:
            return [row[0] for row in database.execute(query)]


Start = Callable[..., Production]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started: list[Production] = []

    def start(*, platform: bool = False, **settings: str) -> Production:
        started.append(Production(tmp_path, platform=platform, settings=settings))
        started[-1].start()
        return started[-1]

    yield start
    for app in started:
        if app.running:
            app.stop()


def own_addresses() -> list[str]:
    """Those of this machine by which others reach it; without a network there are none."""
    found = subprocess.run(["hostname", "-I"], capture_output=True, text=True, check=True).stdout.split()
    return [address for address in found if ":" not in address]


class Browser:
    """A browser behind the proxy: cookies by hand, since they are for https alone."""

    def __init__(self, app: Production) -> None:
        self.app, self.cookie = app, ""

    def ask(self, method: str, path: str, came_from: str, **sent: Any) -> requests.Response:
        """As the proxy on this machine passes it on for a visitor."""
        headers = {**PUBLIC_HOST, "X-Forwarded-For": came_from, "Cookie": self.cookie}
        answer = requests.request(
            method, f"{self.app.base}{path}", headers=headers, timeout=20, allow_redirects=False, **sent
        )
        if cookie := re.match(r"subscriber_sync=[^;]+", answer.headers.get("Set-Cookie", "")):
            self.cookie = cookie[0]
        return answer

    def sign_in(self, password: str, came_from: Callable[[], str]) -> int:
        return self.post("/admin/sign-in", came_from, password=password)

    def post(self, path: str, came_from: Callable[[], str], **fields: str) -> int:
        """Open a page and press its button."""
        token = re.search(r'name="csrf_token" value="([^"]+)"', self.ask("GET", path, came_from()).text)
        assert token is not None
        form = {"csrf_token": token[1], **fields}
        return self.ask("POST", path, came_from(), data=form).status_code


def test_behind_a_proxy_the_port_is_there_for_this_machine_alone(start: Start) -> None:
    """A stranger's 120 sign-ups with addresses of his choice have nowhere to go."""
    app = start(PROXY_HOPS="1")
    assert app.listening() == {"127.0.0.1"}
    for address in own_addresses():
        with pytest.raises(requests.ConnectionError):
            requests.post(f"http://{address}:{app.port}/subscribe", timeout=5)


@pytest.mark.parametrize(
    ("platform", "settings"),
    [(False, {}), (False, {"PROXY_HOPS": "1", "BIND": "0.0.0.0"}), (True, {"PROXY_HOPS": "1"})],
    ids=["no proxy", "as BIND says", "on a platform"],
)
def test_elsewhere_it_listens_where_it_is_needed(
    start: Start, settings: dict[str, str], *, platform: bool
) -> None:
    """Without a proxy, where BIND says so, and where the host sets PORT itself."""
    assert start(platform=platform, **settings).listening() == {"0.0.0.0"}


def test_guesses_from_chosen_addresses_are_slowed_and_lock_nobody_out(start: Start) -> None:
    """Of 150, each from an address of its own, 100 are compared; the owner's session and link work on."""
    app = start(PROXY_HOPS="1")
    owner, guesser, linked = Browser(app), Browser(app), Browser(app)
    numbers = iter(range(10_000))

    def elsewhere() -> str:
        number = next(numbers)
        return f"{11 + number % 80}.{number // 80}.{number % 250}.1"

    assert owner.sign_in(Deployment.password, lambda: "9.9.9.9") == 303
    answers = [guesser.sign_in(f"guess {number}", elsewhere) for number in range(150)]
    # The owner's own sign-in was one of the hundred.
    assert answers == [401] * 99 + [429] * 51
    assert Browser(app).sign_in(Deployment.password, elsewhere) == 429
    assert owner.ask("GET", "/admin/", "9.9.9.9").status_code == 200
    link = app.flask("sign-in-link").rsplit("signup.example.org", 1)[1].strip()
    assert linked.post(link, elsewhere) == 303
    assert linked.ask("GET", "/admin/", elsewhere()).status_code == 200


POSTED = "Content-Type: application/x-www-form-urlencoded"
# Each is a request of its own; the proxy adds its line last.
FORGERIES = [
    "X-Forwarded-For: 8.8.8.8, 9.9.9.9",
    "X-Forwarded-For: 8.8.8.8\r\nX-Forwarded-For: 9.9.9.9",
    "X_Forwarded_For: 8.8.8.8\r\nX-Forwarded-For: 9.9.9.9",
    "X-Forwarded-For: 9.9.9.9\r\nForwarded: for=8.8.8.8;proto=gopher\r\nX-Real-IP: 8.8.8.8",
    "X-Forwarded-For: 9.9.9.9\r\nSCRIPT_NAME: /evil\r\nPATH_INFO: /health\r\nREMOTE_ADDR: 8.8.8.8",
    "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off",
    "X-Forwarded-For: 9.9.9.9\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Prefix: /evil",
]


def test_no_header_of_a_visitor_moves_what_is_stored(start: Start) -> None:
    """Twice, with underscores, by other names, against each other: the proxy's word counts."""
    app = start(PROXY_HOPS="1")
    for number, forged in enumerate(FORGERIES):
        body = f"email=p{number}@example.org&list_id={PRESET_LIST_ID}"
        head = f"POST /subscribe HTTP/1.1\r\nHost: signup.example.org\r\n{POSTED}\r\n{forged}"
        with socket.create_connection(("127.0.0.1", app.port)) as connection:
            answer = exchange(connection, head, body)
        assert re.match(r"HTTP/1\.1 (303|20[12])", answer), (forged, answer)
        assert "/evil" not in answer
        assert "evil.example" not in answer
    assert app.column("SELECT network_address FROM signups") == ["9.9.9.9"] * len(FORGERIES)


def exchange(connection: socket.socket, head: str, body: str) -> str:
    connection.settimeout(10)
    request = f"{head}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    connection.sendall(request.encode())
    return b"".join(iter(lambda: connection.recv(65_536), b"")).decode()


class OnSocket(Production):
    """Listens on a Unix socket; it has no port."""

    def _answers(self) -> bool:
        assert self.running, self.log.read_text()
        return (self.folder / "app.sock").exists()


def test_a_proxy_may_call_by_a_unix_socket(tmp_path: Path) -> None:
    """Who may open it is the file system's to say; what is forwarded by it is believed."""
    place = tmp_path / "app.sock"
    app = OnSocket(tmp_path, platform=False, settings={"PROXY_HOPS": "1", "BIND": f"unix:{place}"})
    app.start()
    try:
        assert app.listening() == set()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(place))
            head = f"POST /subscribe HTTP/1.1\r\nHost: signup.example.org\r\n{FORGERIES[0]}\r\n{POSTED}"
            body = f"email=ann@example.org&list_id={PRESET_LIST_ID}"
            assert re.match(r"HTTP/1\.1 (303|20[12])", exchange(connection, head, body))
        assert app.column("SELECT network_address FROM signups") == ["9.9.9.9"]
    finally:
        app.stop()


def test_a_proxy_that_is_not_counted_is_told(start: Start) -> None:
    """By the process that saw it, then by every process and the doctor; until it is counted."""
    app = start(PROXY_HOPS="0", BIND="127.0.0.1")
    requests.get(f"{app.base}/", headers={"X-Forwarded-For": "9.9.9.9"}, timeout=5)
    wait_for("the finding in /health", lambda: "PROXY_HOPS is 0" in app.problems())
    wait_for("the finding of the doctor", lambda: "PROXY_HOPS is 0" in app.flask("doctor"))
    assert all("PROXY_HOPS is 0" in app.problems() for _ in range(20))
    app.stop()
    app.tell({"PROXY_HOPS": "1", "PORT": str(app.port)})
    app.start()
    requests.get(f"{app.base}/", headers={"X-Forwarded-For": "9.9.9.9"}, timeout=5)
    assert "PROXY_HOPS" not in app.problems()
    assert "Nothing that was seen speaks against PROXY_HOPS" in app.flask("doctor")


def test_a_new_secret_key_sets_no_visitor_aside(start: Start) -> None:
    """Who has a form open across the restart is believed; a token of nobody's is not."""
    app = start(PROXY_HOPS="1")
    form = ("--slug=news", "--name=News", f"--list={PRESET_LIST_ID}", "--protection=standard")
    app.flask("forms", "create", *form)
    token = requests.get(f"{app.base}/forms/news/token", timeout=5).json()["token"]
    app.stop()
    app.tell({"PROXY_HOPS": "1", "PORT": str(app.port), "SECRET_KEY": "d41b7c09e65fa283917bce40d5f8a6"})
    app.start()

    believed, suspected = "SELECT count(*) FROM signups", "SELECT reasons FROM suspected_signups"

    def submitted(form_token: str) -> int:
        """How many are believed by then."""
        body = {"form": "news", "email": "ann@example.org", "form_token": form_token}
        assert requests.post(f"{app.base}/subscribe", json=body, timeout=5).ok
        found: int = app.column(believed)[0]
        return found

    # Nobody fills in a form within two seconds.
    wait_for("a token that is old enough", lambda: submitted(token))
    assert submitted("made up") == 1
    assert {reason for reason in app.column(suspected) if "too_fast" not in reason} == {'["wrong_token"]'}


def test_weak_secrets_and_an_unsaid_environment_stop_the_start() -> None:
    """One message names every one with the cure, without a traceback and without a value."""
    weak = {
        "SECRET_KEY": "dev",
        "ENCRYPTION_KEYS": "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee",
        "ADMIN_PASSWORD": "a",
        "API_KEYS": "k1",
        "DRAIN_TOKEN": "changemechangeme",
    }
    message = refused(SETTINGS | weak)
    for name, value in weak.items():
        assert message.count(f"{name} is easily guessed") == 1
        assert len(value) < 9 or value not in message
    unsaid = {"PUBLIC_BASE_URL": "https://signup.example.org"}
    assert "APP_ENV is missing" in refused(unsaid)


def refused(settings: Mapping[str, str]) -> str:
    ended = subprocess.run(
        [BINARIES / "gunicorn", "app:create_app()"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "PORT": str(free_port()), **settings},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode != 0
    assert "Traceback" not in ended.stderr
    return ended.stderr
