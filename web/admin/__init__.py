"""The admin's pages: one parent blueprint with one guard, and the list of pages that the navigation shows."""

from flask import Blueprint, request
from werkzeug.wrappers import Response

from web.admin import dashboard, forms, sign_in, signups, suspected
from web.security import guards

# The pages in the order of the navigation, which links to the view `index` of each.
NAV = (
    ("Dashboard", dashboard.blueprint),
    ("Forms", forms.blueprint),
    ("Refused", signups.blueprint),
    ("Suspected", suspected.blueprint),
)
OPEN_TO_ALL = frozenset(f"admin.{sign_in.blueprint.name}.{view}" for view in sign_in.OPEN_TO_ALL)

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
for child in (sign_in.blueprint, *(page for _, page in NAV)):
    blueprint.register_blueprint(child)


@blueprint.before_request
def only_admins() -> Response | None:
    """Lead strangers to the sign-in page from every page that is not named as open, new pages included."""
    return None if request.endpoint in OPEN_TO_ALL else guards.require_admin()


@blueprint.app_template_global()
def admin_nav() -> list[tuple[str, str]]:
    """Return label and endpoint of each page in NAV; `oauth`'s error page shows the navigation as well."""
    return [(label, f"{blueprint.name}.{page.name}.index") for label, page in NAV]
