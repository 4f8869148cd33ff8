"""From consent to the Authorization header. What stores the tokens, and who may connect, is handed in."""

from oauth.authorization_server import AuthorizationServer
from oauth.bearer import BearerAuth
from oauth.connecting import Connector
from oauth.control import ConnectionControl
from oauth.errors import OAuthError
from oauth.keeper import Keeper
from oauth.pinning import AccountPin
from oauth.rescue import RescueFile
from oauth.sealing import Sealer
from oauth.ticker import Ticker

__all__ = [
    "AccountPin",
    "AuthorizationServer",
    "BearerAuth",
    "ConnectionControl",
    "Connector",
    "Keeper",
    "OAuthError",
    "RescueFile",
    "Sealer",
    "Ticker",
]
