"""The captchas of third parties that have keys."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from urllib.parse import urlsplit

from services.protection.providers import PROVIDERS
from services.protection.third_party import ThirdPartyCaptcha
from settings import THREADS_PER_WORKER, Settings
from transport.deadline import DeadlineSession

# A visitor waits for it.
WHOLE_CALL_SECONDS = 3.0


def build_captchas(settings: Settings) -> Mapping[str, ThirdPartyCaptcha]:
    """Each captcha that is switched on, by its name."""
    session = DeadlineSession(WHOLE_CALL_SECONDS)
    # A provider that hangs must leave threads for the sign-ups that need none.
    waiting = threading.BoundedSemaphore(max(1, THREADS_PER_WORKER // 4))
    own = [settings.public_base_url, *settings.allowed_origins] if settings.public_base_url else []
    return {
        name: ThirdPartyCaptcha(
            PROVIDERS[name],
            site_key=site_key,
            secret_key=secret_key,
            session=session,
            waiting=waiting,
            own_hosts={urlsplit(address or "").hostname or "" for address in own},
        )
        for name, (site_key, secret_key) in settings.captcha_keys.items()
    }
