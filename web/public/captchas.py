"""The captcha that a form asks for, as a page draws it."""

from dataclasses import dataclass

from services.forms.form import Form
from services.protection.providers import Provider
from web.current import services


@dataclass(frozen=True)
class Widget:
    """A third party's captcha on a page.

    `script` makes the page's object `api`, which draws it, or draws what has the class `html_class` itself.
    """

    kind: str
    title: str
    script: str
    api: str
    html_class: str
    site_key: str
    action: str | None


def provider_of(form: Form) -> Provider | None:
    """Return the provider whose scripts a page with the form must allow; None where there is none."""
    captcha = services().captchas.get(form.protection)
    return captcha.provider if captcha else None


def widget_of(form: Form) -> Widget | None:
    """Return the third party's captcha that the form asks for; None also while it has no keys."""
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
