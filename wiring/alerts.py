"""Who is told when something needs a person, and by which way."""

from dataclasses import dataclass, replace
from email.message import EmailMessage

from flask import Flask

import sandbox
from services.mail.channel import Channel
from services.mail.email import Email, MailTransport
from services.mail.outbox import Outbox
from services.mail.smtp import SmtpTransport
from services.mail.webhook import SignedWebhook
from services.operations.alerts.further import FurtherChecks
from services.operations.alerts.kinds import LOOK_SECONDS
from services.operations.alerts.outage import OutageAlerts
from services.operations.alerts.quiet import QuietWatch
from services.operations.alerts.watch import Alerts
from services.operations.alerts.words import Target, Words
from services.operations.housekeeping import Housekeeping, Task
from services.operations.reader import SnapshotReader
from settings import Settings
from store.engine.clock import Clock
from store.mail.messages import EMAIL, WEBHOOK
from store.recovery.outage_note import OutageNote
from transport.deadline import DeadlineSession
from wiring.operations import build_health
from wiring.storage import Storage

WEBHOOK_SECONDS = 15.0
# A probe of a host is answered at once; alerts can wait for a database that is only slow.
ALERTS_LOOK_SECONDS = 20.0
# In the sandbox, where nobody has to set anything.
SANDBOX_SENDER, SANDBOX_ADMIN = "Subscriber Sync <subscriber-sync@example.org>", "admin@example.org"


@dataclass(frozen=True)
class SandboxMailbox:
    """Takes e-mails for the sandbox of this process."""

    app: Flask

    def send(self, mail: EmailMessage) -> None:
        """Put the e-mail into the mailbox."""
        sandbox.receive_mail(self.app, mail.as_bytes())


@dataclass(frozen=True)
class Messaging:
    """The outbox, its channels, and to whom alerts go."""

    outbox: Outbox
    channels: dict[str, Channel]
    targets: tuple[Target, ...]


def build_messaging(settings: Settings, storage: Storage, sandbox_app: Flask | None) -> Messaging:
    """As the settings say; `sandbox_app` is the sandbox of this process, which has a mailbox."""
    channels: dict[str, Channel] = {}
    emails, transport = settings.alert_emails, _mail_transport(settings, sandbox_app)
    if transport is not None:
        in_sandbox = settings.smtp_url is None
        channels[EMAIL] = Email(transport, settings.mail_from or SANDBOX_SENDER)
        emails = emails or ((SANDBOX_ADMIN,) if in_sandbox else ())
    targets = [Target(EMAIL, address) for address in emails]
    if settings.alert_webhook_url:
        session = DeadlineSession(WEBHOOK_SECONDS)
        channels[WEBHOOK] = SignedWebhook(settings.alert_webhook_url, settings.alert_webhook_secret, session)
        targets.append(Target(WEBHOOK))
    outbox = Outbox(storage.store.messages, channels, storage.shared_clock)
    return Messaging(outbox, channels, tuple(targets))


def build_alerts(
    settings: Settings,
    storage: Storage,
    messaging: Messaging,
    reader: SnapshotReader,
) -> Alerts:
    """Build what looks at everything once a minute."""
    words = Words(settings.public_base_url)
    return Alerts(
        # A reader of their own: what it looks at is told where it hangs.
        report=build_health(settings, storage, replace(reader), look_seconds=ALERTS_LOOK_SECONDS).report,
        further=(FurtherChecks(reader).problems, QuietWatch(storage.store.arrivals, storage.clock).problems),
        states=storage.store.alerts,
        targets=messaging.targets,
        channels=messaging.channels,
        words=words,
        outage=OutageAlerts(
            OutageNote(settings.data_dir / "outage-alert.json"),
            messaging.channels,
            messaging.targets,
            words,
        ),
        clock=storage.shared_clock,
    )


def build_alert_tasks(alerts: Alerts, outbox: Outbox, clock: Clock) -> Housekeeping:
    """What is done now and then in a thread of its own: a mail server may take long to answer."""
    return Housekeeping(
        [
            # With a long backlog a look takes long: a twentieth of the time is spent on it at most.
            Task("alerts", LOOK_SECONDS, alerts.look, rest_factor=20),
            Task("messages", 5, outbox.send_due),
            Task("old_messages", 3_600, outbox.prune),
        ],
        clock,
    )


def _mail_transport(settings: Settings, sandbox_app: Flask | None) -> MailTransport | None:
    if server := settings.smtp_url:
        return SmtpTransport(
            host=server.host,
            port=server.port,
            tls_first=server.tls_first,
            user=server.user,
            password=server.password,
            on_this_machine=server.on_this_machine,
        )
    return SandboxMailbox(sandbox_app) if sandbox_app is not None else None
