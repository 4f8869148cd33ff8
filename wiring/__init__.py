"""Which part is handed to which; `app.py` puts the result behind the web. Importing it starts nothing."""

from wiring.build import Parts, build_services
from wiring.clock import clock
from wiring.forms import public_lists
from wiring.proxies import proxy_rules
from wiring.signing import derived_keys
from wiring.words import CALLBACK_PATH, VERSION

__all__ = [
    "CALLBACK_PATH",
    "VERSION",
    "Parts",
    "build_services",
    "clock",
    "derived_keys",
    "proxy_rules",
    "public_lists",
]
