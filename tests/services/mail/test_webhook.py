"""Webhooks as Standard Webhooks describes them."""

import base64
import json

import pytest

from services.mail.channel import NotSent
from services.mail.webhook import SignedWebhook, signature
from store.mail.messages import Message
from tests.support.ports import free_port
from tests.support.webhook import KEY, Received, webhook_server
from transport.deadline import DeadlineSession

NOW = 1_790_000_000_999
MESSAGE = Message(
    channel="webhook",
    recipient="",
    subject="subject",
    body=json.dumps({"type": "alert.test", "data": {"title": "Über"}}, ensure_ascii=False),
    id=1,
    message_id="msg_0123",
    created_at=5,
    attempts=1,
    fence=1,
)


def webhook(url: str) -> SignedWebhook:
    return SignedWebhook(url, KEY, DeadlineSession(5.0))


def test_the_signature_is_that_of_the_specification() -> None:
    """The example that Svix publishes: https://docs.svix.com/receiving/verifying-payloads/how-manual."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, '{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_can_verify_what_it_gets() -> None:
    """Each attempt has its own time, and the id of the message."""
    received = Received()
    with webhook_server(received) as url:
        webhook(url).send(MESSAGE, now=NOW)
        webhook(url).send(MESSAGE, now=NOW + 60_000)
    assert [received.verified(index)["data"] for index in (0, 1)] == [{"title": "Über"}] * 2
    assert [headers["webhook-timestamp"] for headers in received.headers] == ["1790000000", "1790000060"]
    assert {headers["webhook-id"] for headers in received.headers} == {"msg_0123"}
    assert received.headers[0]["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "refused"),
    [
        *((200, None), (299, None), (302, False), (400, True), (401, True), (410, True)),
        *((408, False), (429, False), (500, False), (503, False)),
    ],
)
def test_only_a_2xx_is_a_receipt(status: int, *, refused: bool | None) -> None:
    """A redirect is not followed: the signed message would go to somebody else."""
    received = Received(status=status, location="https://elsewhere.example/")
    with webhook_server(received) as url:
        if refused is None:
            webhook(url).send(MESSAGE, now=NOW)
        else:
            with pytest.raises(NotSent, match=f"answers {status}") as caught:
                webhook(url).send(MESSAGE, now=NOW)
            assert caught.value.refused is refused
            assert url not in str(caught.value)
    assert len(received.bodies) == 1


def test_nobody_there() -> None:
    """The sentence does not repeat the address, which may be a secret."""
    with pytest.raises(NotSent, match="cannot be called") as caught:
        webhook(f"http://127.0.0.1:{free_port()}/secret").send(MESSAGE, now=NOW)
    assert "secret" not in str(caught.value)
    assert not caught.value.refused
