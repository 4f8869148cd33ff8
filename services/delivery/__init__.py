"""Delivery: from the stored sign-up to Constant Contact."""

from services.delivery.attempt import Courier, Outcome, Step
from services.delivery.causes import CauseWords
from services.delivery.kinds.sign_up import Sender
from services.delivery.pacing import Departures, NotSent, depart
from services.delivery.thread import DeliveryThread, watch
from services.delivery.worker import Delivery, DrainReport

__all__ = [
    "CauseWords",
    "Courier",
    "Delivery",
    "DeliveryThread",
    "Departures",
    "DrainReport",
    "NotSent",
    "Outcome",
    "Sender",
    "Step",
    "depart",
    "watch",
]
