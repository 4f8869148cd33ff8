"""Captchas of third parties: who offers them, and the one call that asks whether an answer is good."""

from services.captcha.check import CAPTCHA_RULES, Captcha, action_of
from services.captcha.providers import PROVIDERS, Provider

__all__ = ["CAPTCHA_RULES", "PROVIDERS", "Captcha", "Provider", "action_of"]
