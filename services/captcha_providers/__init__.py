"""Captchas of third parties: who offers them, and the one call that asks whether an answer is good."""

from services.captcha_providers.check import CAPTCHA_RULES, NoKeys, ThirdPartyCaptcha
from services.captcha_providers.facts import PROVIDERS, Provider

__all__ = ["CAPTCHA_RULES", "PROVIDERS", "NoKeys", "Provider", "ThirdPartyCaptcha"]
