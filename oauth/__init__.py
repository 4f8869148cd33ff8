"""From consent to the Authorization header. What stores the tokens, and who may connect, is handed in."""

from oauth.account_check import AccountPin
from oauth.authorization_server import AuthorizationServer
from oauth.bearer import BearerAuth
from oauth.connecting import Connector
from oauth.control import ConnectionControl
from oauth.encryption import Sealer
from oauth.errors import OAuthError
from oauth.refresh.rescue_file import RescueFile
from oauth.refresh.thread import Ticker
from oauth.token_source import Keeper

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
