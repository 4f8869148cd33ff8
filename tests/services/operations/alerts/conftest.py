"""The system as it is shipped, with a real mail server and a real receiver of webhooks."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from services.constant_contact.errors import Unreachable
from tests.services.conftest import Clock, System
from tests.support.mail_server import Inbox, mail_server
from tests.support.ports import free_port
from tests.support.webhook import SECRET, Received, webhook_server

MINUTE = 60_000


@dataclass
class Watched:
    """Several instances over one database, all of which look once a minute and send what is due."""

    inbox: Inbox
    received: Received
    mail_port: int
    webhook: str
    path: Path
    clock: Clock = field(default_factory=Clock)
    instances: list[System] = field(default_factory=list)

    def start(self, **environ: str) -> System:
        """Start one more instance."""
        mail = {
            "SMTP_URL": f"smtp://127.0.0.1:{self.mail_port}",
            "MAIL_FROM": "sign-ups@example.org",
            "ALERT_EMAILS": "ada@example.org",
            "ALERT_WEBHOOK_URL": self.webhook,
            "ALERT_WEBHOOK_SECRET": SECRET,
        }
        instance = System(self.path, clock=self.clock, environ=mail | environ)
        self.instances.append(instance)
        return instance

    def stop(self) -> None:
        """Stop the instance that was started last, as a restart does."""
        self.instances.pop().database.close()

    def minutes(self, count: int, *, deliver: bool = True) -> None:
        """Let the minutes pass; in each, every instance delivers, looks, and sends."""
        for _ in range(count):
            for instance in self.instances:
                for _ in range(3 if deliver else 0):
                    instance.parts.delivery.attempt.step()
                instance.parts.background.alerts.turn()
            self.clock.now += MINUTE

    def vendor_down(self, *, down: bool) -> None:
        """Constant Contact answers nobody, or everybody again."""
        for instance in self.instances:
            instance.vendor.script = [Unreachable()] * 1_000 if down else []

    def types(self) -> list[str]:
        """What the webhook was told, each with a signature that is right, and none twice."""
        told: dict[str, Any] = {}
        for index, headers in enumerate(self.received.headers):
            told[headers["webhook-id"]] = self.received.verified(index)
        return [f"{each['type']} {each['data'].get('kind')}" for each in told.values()]


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    """Nothing is started yet."""
    received, inbox, port = Received(), Inbox(), free_port()
    with webhook_server(received) as url:
        watched = Watched(inbox, received, port, url, tmp_path)
        yield watched
        for instance in watched.instances:
            instance.database.close()


@pytest.fixture
def mail(watched: Watched) -> Iterator[Callable[..., None]]:
    """Switch the mail server on and off."""
    with ExitStack() as running:

        def switch(*, on: bool) -> None:
            running.close()
            if on:
                running.enter_context(mail_server(watched.inbox, port=watched.mail_port))

        yield switch
