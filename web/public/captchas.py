"""What a page needs to draw the captcha that a form asks for."""

from __future__ import annotations

from dataclasses import dataclass

from services.forms.form import Form
from services.protection.providers import Provider
from web.current import services


@dataclass(frozen=True)
class Widget:
    """`script` makes the page's object `api`, which draws it; or draws by itself what has `html_class`."""

    kind: str
    title: str
    script: str
    api: str
    html_class: str
    site_key: str
    action: str | None


def provider_of(form: Form) -> Provider | None:
    """Who has to be let into a page that shows the form."""
    captcha = services().captchas.get(form.protection)
    return captcha.provider if captcha else None


def widget_of(form: Form) -> Widget | None:
    """The third party's captcha that the form asks for; none as well while that has no keys."""
    captcha = services().captchas.get(form.protection)
    if captcha is None:
        return None
    provider = captcha.provider
    return Widget(
        kind=provider.name,
        title=provider.title,
        script=provider.script,
        api=provider.api,
        html_class=provider.widget,
        site_key=captcha.site_key,
        action=captcha.action(form),
    )
