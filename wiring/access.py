"""Who may do what: the admin, API keys and proxies; and the keys that are derived from SECRET_KEY."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from services.access.admin import SESSION_LIVES_MS, AdminAccess
from services.access.api_keys import ApiKeys, DrainToken
from services.access.derived_keys import DerivedKeys
from services.access.proxies import ProxyRules
from services.access.proxy_watch import ProxyWatch
from services.connection.control import ConnectLimit
from settings import Settings
from store import Store
from store.engine.clock import Clock

SESSION_LIFETIME = timedelta(milliseconds=SESSION_LIVES_MS)


@dataclass(frozen=True)
class Access:
    """Who may do what, and which proxies are believed about a visitor's address."""

    keys: DerivedKeys
    admin: AdminAccess
    api_keys: ApiKeys
    drain_token: DrainToken
    proxy_rules: ProxyRules
    proxy_watch: ProxyWatch
    connect_limit: ConnectLimit


def build_access(settings: Settings, store: Store, clock: Clock) -> Access:
    """Build it as the settings say."""
    keys = derived_keys(settings)
    proxy_rules = ProxyRules(
        hops=settings.proxy_hops,
        addresses=settings.proxy_addresses,
        public_host=urlsplit(settings.public_base_url or "").hostname,
    )
    # What was seen under other settings says nothing about these.
    deciding = (settings.proxy_hops, settings.proxy_addresses, settings.bind, settings.public_base_url)
    digest = hashlib.sha256(repr(deciding).encode()).hexdigest()[:16]
    return Access(
        keys=keys,
        admin=AdminAccess(
            password=settings.admin_password.get_secret_value(),
            keys=keys,
            throttles=store.throttles,
            spent_tokens=store.spent_tokens,
            clock=clock,
        ),
        api_keys=ApiKeys(settings.api_keys),
        drain_token=DrainToken(settings.drain_token.get_secret_value()),
        proxy_rules=proxy_rules,
        proxy_watch=ProxyWatch(proxy_rules, settings=digest, meta=store.meta, clock=clock),
        connect_limit=ConnectLimit(store.throttles, clock=clock),
    )


def derived_keys(settings: Settings) -> DerivedKeys:
    """Return one key for each purpose, derived from SECRET_KEY."""
    return DerivedKeys(settings.secret_key.get_secret_value())
