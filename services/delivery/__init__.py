"""Delivery: from the stored sign-up to Constant Contact."""

from services.delivery.causes import CauseWords
from services.delivery.courier import Courier, Outcome, Step
from services.delivery.delivery import Delivery, DrainReport
from services.delivery.departure import Departures, NotSent, depart
from services.delivery.sending import Sender
from services.delivery.thread import DeliveryThread, watch

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
