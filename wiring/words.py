"""What several parts call by the same name."""

VERSION = "0.1.0"
CALLBACK_PATH = "/oauth/callback"
