"""The providers of captchas as they document themselves: addresses, names, and sources for a page's policy.

https://developers.cloudflare.com/turnstile/ · https://docs.hcaptcha.com/ ·
https://developers.google.com/recaptcha/docs/display (version 2, the checkbox)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Provider:
    """One provider's captcha.

    `script` makes a page's object `api`, and draws by itself what has the class `widget`. `sources` are the
    origins that a page allows for it, by the policy's directive.
    """

    name: str
    title: str
    script: str
    api: str
    widget: str
    verify_url: str
    sources: Mapping[str, tuple[str, ...]]
    # What it takes besides: the site key with each check, and a word for the form that its widget stands in.
    takes_site_key: bool = False
    takes_action: bool = False


_CLOUDFLARE = ("https://challenges.cloudflare.com",)
# Its documentation warns of naming hosts: they differ by time and region.
_HCAPTCHA = ("https://hcaptcha.com", "https://*.hcaptcha.com")
_GOOGLE = "https://www.google.com/recaptcha/"

PROVIDERS: Mapping[str, Provider] = MappingProxyType(
    {
        "turnstile": Provider(
            name="turnstile",
            title="Cloudflare Turnstile",
            script="https://challenges.cloudflare.com/turnstile/v0/api.js",
            api="turnstile",
            widget="cf-turnstile",
            verify_url="https://challenges.cloudflare.com/turnstile/v0/siteverify",
            sources={"script-src": _CLOUDFLARE, "frame-src": _CLOUDFLARE},
            takes_action=True,
        ),
        "hcaptcha": Provider(
            name="hcaptcha",
            title="hCaptcha",
            # Without the parameter it poses as reCAPTCHA, which a page may use for something else.
            script="https://js.hcaptcha.com/1/api.js?recaptchacompat=off",
            api="hcaptcha",
            widget="h-captcha",
            verify_url="https://api.hcaptcha.com/siteverify",
            sources={
                "script-src": _HCAPTCHA,
                "frame-src": _HCAPTCHA,
                "style-src": _HCAPTCHA,
                "connect-src": _HCAPTCHA,
            },
            takes_site_key=True,
        ),
        "recaptcha": Provider(
            name="recaptcha",
            title="Google reCAPTCHA",
            script="https://www.google.com/recaptcha/api.js",
            api="grecaptcha",
            widget="g-recaptcha",
            verify_url="https://www.google.com/recaptcha/api/siteverify",
            sources={
                "script-src": (_GOOGLE, "https://www.gstatic.com/recaptcha/"),
                "frame-src": (_GOOGLE, "https://recaptcha.google.com/recaptcha/"),
                "connect-src": (_GOOGLE,),
            },
        ),
    }
)
