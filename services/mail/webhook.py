"""Calls of a webhook, signed as Standard Webhooks describes.

Specification: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
from dataclasses import dataclass, field
from http import HTTPStatus

import requests

from services.mail.channel import NotSent
from store.mail.messages import Message

# Answers of a receiver that would take the same call later.
LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True)
class SignedWebhook:
    """The channel of webhooks: POSTs a message's body, which is JSON, to one address.

    `session` ends each call in time and follows no redirects; `key` is what the secret `whsec_…` stands for.
    """

    url: str = field(repr=False)
    key: bytes = field(repr=False)
    session: requests.Session

    def send(self, message: Message, *, now: int) -> None:
        """Send the message, see services.mail.channel.Channel; each attempt is signed with its own time."""
        headers = {"Content-Type": "application/json", "User-Agent": "Subscriber-Sync"}
        headers |= signature(self.key, message.message_id, now // 1000, message.body)
        try:
            answer = self.session.post(
                self.url, data=message.body.encode(), headers=headers, allow_redirects=False
            )
        except Exception as error:
            # Known by its place: a missing file of certificates is no exception of requests. Its text may
            # hold the address, which may be a secret.
            cause = type(error).__name__
            raise NotSent(f"The webhook at ALERT_WEBHOOK_URL cannot be called ({cause}).") from error
        if 200 <= answer.status_code < 300:
            return
        refused = 400 <= answer.status_code < 500 and answer.status_code not in LATER
        raise NotSent(f"The webhook at ALERT_WEBHOOK_URL answers {answer.status_code}.", refused=refused)


def signature(key: bytes, message_id: str, timestamp: int, body: str) -> dict[str, str]:
    """Return the three headers by which a receiver knows the sender and a repeat; `timestamp` in seconds."""
    signed = f"{message_id}.{timestamp}.{body}".encode()
    digest = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{digest}",
    }
