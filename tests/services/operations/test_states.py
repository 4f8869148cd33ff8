"""What health, doctor and metrics say word for word in many states, since people and programs rely on it.

The answers are kept in states.txt. After a change on purpose, write them anew with
`STATES=write pytest tests/services/operations/test_states.py` and read the difference.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from services.connection.states import WORDS
from services.constant_contact.errors import QuotaExceeded, Rejected, Unreachable
from services.operations.doctor import Deployment, Doctor
from services.operations.health import Health, HealthReport
from services.operations.metrics import Metrics
from services.problems import Level, Problem
from store.engine.sqlite.disk_reserve import DiskReserve
from store.quota.causes import Cause, Causes
from store.signups.accept import Signups
from store.signups.batch import Judgement
from store.signups.suspected_room import SuspectedCeiling
from tests.services.conftest import System
from tests.services.operations.test_doctor import Control
from tests.services.vendor import NEWSLETTER
from tests.store.conftest import signup

KEPT = Path(__file__).with_name("states.txt")
DAY = 86_400_000
LOST_LIST = "99999999-9999-4999-8999-999999999999"


class NearlyFullDisk(DiskReserve):
    """A disk with 10 MB left."""

    def free(self) -> int:
        return 10 * 1024 * 1024


@dataclass
class Scene:
    """A service in some state, and what its settings say."""

    system: System
    folder: Path
    deployment: Deployment
    decryptable: bool = True
    delivers_itself: bool = True
    nearly_full: bool = False
    proxies: tuple[Problem, ...] = ()


def state(scene: Scene, name: str) -> None:
    scene.system.connections.record_failure(
        generation=scene.system.connections.read().generation,
        state=name,
        error="Why it failed.",
        next_refresh_at=scene.system.clock.now + 90_000,
    )


def quiet(scene: Scene) -> None:
    scene.system.lists.read()


def disconnected(scene: Scene) -> None:
    scene.system.connections.disconnect(now=scene.system.clock.now)
    scene.system.sign_up()


def failing_for_long(scene: Scene) -> None:
    state(scene, "refresh_failing")
    scene.system.clock.now += 2 * DAY


def idle(days: int) -> Callable[[Scene], None]:
    def wait(scene: Scene) -> None:
        scene.system.clock.now += days * DAY

    return wait


def old_backlog(scene: Scene) -> None:
    scene.system.sign_up()
    scene.system.clock.now += 7_200_500


def parked_and_paused(scene: Scene) -> None:
    scene.system.vendor.script = [Rejected(), Unreachable()]
    for address in ("ann@example.org", "ben@example.org"):
        scene.system.sign_up(address)
        scene.system.attempt.step()
    scene.system.clock.now += 2_000


def refused_for_a_cause(scene: Scene) -> None:
    now = scene.system.clock.now
    standing = Cause.of(["list:1"], "All sign-ups for the list “News” are refused.", now)
    over = replace(Cause.of(["list:2"], "This is over.", now), lifted=True)
    with scene.system.database.transaction() as connection:
        text = Causes({each.id: each for each in (standing, over)}).dump()
        connection.exec_driver_sql("UPDATE budget SET causes = ?", (text,))


def a_time_of_their_own(scene: Scene) -> None:
    refusal = Rejected(key="contacts.api.invalid_email", detail="invalid email address")
    scene.system.vendor.script = [refusal, refusal]
    for address in ("ann@example.org", "ben@example.org"):
        scene.system.sign_up(address)
        scene.system.attempt.step()
        scene.system.clock.now += 1_000


def day_over_by_the_vendor(scene: Scene) -> None:
    scene.system.vendor.script = [QuotaExceeded()]
    scene.system.sign_up()
    scene.system.attempt.step()


def calls_used(calls: int) -> Callable[[Scene], None]:
    def use(scene: Scene) -> None:
        scene.system.sign_up()
        scene.system.clock.now += 3_700_000
        scene.system.use_up(calls)

    return use


def suspected(scene: Scene) -> None:
    for trap in ("x", "y"):
        scene.system.sign_up(website=trap)


def suspected_not_kept(scene: Scene) -> None:
    small = Signups(scene.system.database, ceiling=SuspectedCeiling(rows=0))
    small.accept(
        signup("s1", at=scene.system.clock.now),
        kind="sign_up",
        payload={},
        judgement=Judgement(broken=("honeypot",)),
    )


def delivery_silent(scene: Scene) -> None:
    scene.system.sign_up()
    scene.system.clock.now += 61_000
    scene.system.silent_seconds = None


def delivery_missing(scene: Scene) -> None:
    scene.system.sign_up()
    scene.system.clock.now += 901_000
    scene.delivers_itself = False


def delivery_elsewhere(scene: Scene) -> None:
    scene.delivers_itself = False


def spooled_and_damaged(scene: Scene) -> None:
    (scene.folder / "copies").touch()
    scene.system.sign_up()
    (scene.folder / "spool").mkdir()
    (scene.folder / "spool" / "waiting").write_bytes(b"one\ntwo\n")
    (scene.folder / "spool" / "damaged-1-1").write_bytes(b"one\n")
    (scene.folder / "test.db.damaged-20260101-000000-1").touch()


def salvaged(scene: Scene) -> None:
    scene.system.sign_up()
    scene.system.database.close()
    (scene.folder / "test.db").rename(scene.folder / "test.db.damaged-20260101-000000-1")
    scene.system.salvage.run()
    scene.system.connect()


def strange_settings(scene: Scene) -> None:
    scene.system.lists.read()
    scene.deployment = replace(
        scene.deployment,
        warnings=(
            Problem("mend", Level.WARNING, "Mend this."),
            Problem("weak", Level.WARNING, "It is weak.", public=False),
        ),
        redirect_uri=None,
        public_list_ids=(NEWSLETTER.list_id, LOST_LIST),
        public_client=True,
    )
    scene.decryptable = False
    scene.proxies = (Problem("proxy_not_counted", Level.WARNING, "A proxy is not counted.", public=False),)


def nearly_full(scene: Scene) -> None:
    scene.nearly_full = True


def built_in_sandbox(scene: Scene) -> None:
    scene.deployment = replace(scene.deployment, vendor_urls=())


def doors(scene: Scene) -> None:
    for slug, protection in (("open", "none"), ("guarded", "standard")):
        document = {"slug": slug, "name": slug, "list_ids": [NEWSLETTER.list_id], "protection": protection}
        scene.system.forms.save(document)


def opt_outs_unread(scene: Scene) -> None:
    with scene.system.database.transaction() as connection:
        connection.exec_driver_sql("UPDATE opt_out_refresh SET failures = 3")


def table_gone(name: str) -> Callable[[Scene], None]:
    def lose(scene: Scene) -> None:
        scene.system.sign_up()
        with scene.system.database.transaction() as connection:
            connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO gone")

    return lose


def nothing_storable(scene: Scene) -> None:
    (scene.folder / "spool").touch()
    table_gone("meta")(scene)


STATES: dict[str, Callable[[Scene], None]] = {
    "connected, lists never fetched": lambda _: None,
    "connected and quiet": quiet,
    "disconnected, and one waits": disconnected,
    **{name: lambda scene, name=name: state(scene, name) for name in sorted(set(WORDS) - {"connected"})},  # type: ignore[misc]
    "refresh_failing, the token is over": failing_for_long,
    **{f"idle for {days} days": idle(days) for days in (59, 60, 150)},
    "the oldest has waited for two hours": old_backlog,
    "one is parked and all pause": parked_and_paused,
    "all for a list are refused": refused_for_a_cause,
    "two wait for a time of their own": a_time_of_their_own,
    "the vendor says the day is over": day_over_by_the_vendor,
    **{f"{calls} calls used": calls_used(calls) for calls in (8_000, 9_900, 10_000)},
    "two are suspected": suspected,
    "suspected ones were not kept": suspected_not_kept,
    "the delivery is silent": delivery_silent,
    "nobody delivers": delivery_missing,
    "delivered elsewhere": delivery_elsewhere,
    "spooled, damaged, no second copy": spooled_and_damaged,
    "a lost file was read back": salvaged,
    "strange settings": strange_settings,
    "the disk is nearly full": nearly_full,
    "built-in sandbox": built_in_sandbox,
    "a public list is protected": doors,
    "opt-outs cannot be read": opt_outs_unread,
    **{f"the table {name} is gone": table_gone(name) for name in ("meta", "budget", "connection")},
    "nothing can be stored": nothing_storable,
}


def health_lines(audience: str, report: HealthReport) -> Iterator[str]:
    facts = {name: value for name, value in asdict(report).items() if name not in {"problems", "version"}}
    yield f"health for {audience}: {', '.join(f'{name} {value}' for name, value in facts.items())}"
    for problem in report.problems:
        public = "" if problem.public else ", not public"
        yield f"  {problem.level.value} {problem.code}{public}: {problem.sentence}"


def told(scene: Scene) -> str:
    """The answers of all, without what differs from machine to machine."""
    system = scene.system
    reader = replace(
        system.reader,
        disk=NearlyFullDisk(scene.folder) if scene.nearly_full else system.reader.disk,
        proxies=lambda: scene.proxies,
        silent_seconds=(lambda: system.silent_seconds) if scene.delivers_itself else None,
    )
    health = Health(reader, warnings=scene.deployment.warnings, version="1.2.3")
    lines = [
        *health_lines("admins", health.report()),
        *health_lines("strangers", health.report(for_all=True)),
    ]
    doctor = Doctor(scene.deployment, reader, Control(decryptable=scene.decryptable), reach=lambda _: None)
    lines += ["doctor:", *(f"  {found}" for found in doctor.examine())]
    figures = Metrics(reader).exposition("")[0].decode().splitlines()
    known = [line.removeprefix("subscriber_sync_") for line in figures if not line.startswith("#")]
    lines.append(f"metrics: {', '.join(known)}")
    text = "\n".join(lines).replace(str(scene.folder), "FOLDER")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "SOME TIME", text)
    text = re.sub(r"\d+ MB are free", "N MB are free", text)
    return re.sub(r"SQLite 3[\d.]*", "SQLite 3", text)


def kept() -> dict[str, str]:
    parts = re.split(r"^== (.*)\n", KEPT.read_text(), flags=re.MULTILINE)[1:]
    return {name: text.rstrip("\n") for name, text in zip(parts[::2], parts[1::2], strict=True)}


@pytest.mark.parametrize("name", STATES)
def test_what_is_said_stays_the_same(tmp_path: Path, name: str) -> None:
    """Status, sentences, their order and codes, the doctor's lines, and every figure."""
    system = System(tmp_path)
    system.connect()
    deployment = Deployment(
        warnings=(),
        store_url=f"sqlite:///{tmp_path / 'test.db'}",
        data_dir=tmp_path,
        redirect_uri="https://signup.example.org/oauth/callback",
        public_list_ids=(NEWSLETTER.list_id,),
        vendor_urls=("http://127.0.0.1:1/v3",),
    )
    scene = Scene(system, tmp_path, deployment)
    STATES[name](scene)
    said = told(scene)
    system.database.close()
    if os.environ.get("STATES") == "write":
        known = (kept() if KEPT.exists() else {}) | {name: said}
        KEPT.write_text("\n".join(f"== {each}\n{known[each]}\n" for each in STATES if each in known))
    assert said == kept()[name]
