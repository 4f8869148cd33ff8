"""The proxies in front, and who keeps an eye on their number."""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from services.access.proxies import ProxyRules
from services.access.proxy_watch import ProxyWatch
from settings import Settings
from store.key_value import KeyValue
from wiring.clock import clock


def proxy_rules(settings: Settings) -> ProxyRules:
    """As the settings say."""
    return ProxyRules(
        hops=settings.proxy_hops,
        addresses=settings.proxy_addresses,
        public_host=urlsplit(settings.public_base_url or "").hostname,
    )


def build_proxy_watch(settings: Settings, meta: KeyValue) -> ProxyWatch:
    """What was seen under other settings says nothing about these."""
    deciding = (settings.proxy_hops, settings.proxy_addresses, settings.bind, settings.public_base_url)
    told_apart = hashlib.sha256(repr(deciding).encode()).hexdigest()[:16]
    return ProxyWatch(proxy_rules(settings), settings=told_apart, meta=meta, clock=clock)
