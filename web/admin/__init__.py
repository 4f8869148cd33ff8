"""The admin's pages: one parent blueprint with one guard, and the list of pages that the navigation shows."""

from dataclasses import dataclass

from flask import Blueprint, request
from werkzeug.wrappers import Response

from web.admin import dashboard, forms, sign_in, signups, suspected
from web.current import services
from web.security import guards

# The pages in the order of the navigation, which links to the view `index` of each.
NAV = (
    ("Overview", dashboard.blueprint),
    ("Refused", signups.blueprint),
    ("Suspected", suspected.blueprint),
    ("Forms", forms.blueprint),
)
OPEN_TO_ALL = frozenset(f"admin.{sign_in.blueprint.name}.{view}" for view in sign_in.OPEN_TO_ALL)

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
for child in (sign_in.blueprint, *(page for _, page in NAV)):
    blueprint.register_blueprint(child)


@dataclass(frozen=True)
class NavEntry:
    """One link of the navigation; `current` is its aria-current: this page, or one below it, is shown."""

    label: str
    endpoint: str
    current: str | None


@blueprint.before_request
def only_admins() -> Response | None:
    """Lead strangers to the sign-in page from every page that is not named as open, new pages included."""
    return None if request.endpoint in OPEN_TO_ALL else guards.require_admin()


@blueprint.app_template_global()
def admin_nav() -> list[NavEntry]:
    """Return the navigation, empty on pages for strangers; `oauth`'s error page shows it as well."""
    if request.endpoint in OPEN_TO_ALL or not {"admin", "oauth"} & set(request.blueprints):
        return []
    return [_entry(label, page) for label, page in NAV]


@blueprint.context_processor
def whose_pages() -> dict[str, str | None]:
    """Give the name of the connected account to the admin's pages, but not to the sign-in page."""
    return {"organisation": None if request.endpoint in OPEN_TO_ALL else services().organisation.name()}


def _entry(label: str, page: Blueprint) -> NavEntry:
    room = f"{blueprint.name}.{page.name}"
    here = "page" if request.endpoint == f"{room}.index" else "true" if room in request.blueprints else None
    return NavEntry(label, f"{room}.index", here)
