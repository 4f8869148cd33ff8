"""Operations of the vendor's contract (AppConnect V3, build 3.0.178) that are not imitated: each answers 501.

A 404 would mean that Constant Contact lacks the operation. A wrong method on one of these paths is a 405, as
on any other.
"""

from typing import NoReturn

from flask import Blueprint, request

from sandbox.errors import NotImitated

_CAMPAIGN_ACTIVITY = "/emails/activities/{campaign_activity_id}"

# Methods and path templates as the contract writes them, below /v3.
NOT_IMITATED: tuple[tuple[str, str], ...] = (
    ("PUT", "/account/summary"),
    ("GET", "/account/summary/physical_address"),
    ("POST", "/account/summary/physical_address"),
    ("PUT", "/account/summary/physical_address"),
    ("POST", "/activities/contact_exports"),
    ("POST", "/activities/contacts_file_import"),
    ("POST", "/activities/contacts_json_import"),
    ("POST", "/activities/contacts_tags_delete"),
    ("POST", "/activities/custom_fields_delete"),
    ("POST", "/activities/list_delete"),
    ("GET", "/contact_exports/{file_export_id}"),
    ("GET", "/emails"),
    ("POST", "/emails"),
    ("GET", "/emails/{campaign_id}"),
    ("PATCH", "/emails/{campaign_id}"),
    ("DELETE", "/emails/{campaign_id}"),
    ("GET", _CAMPAIGN_ACTIVITY),
    ("PUT", _CAMPAIGN_ACTIVITY),
    ("GET", f"{_CAMPAIGN_ACTIVITY}/non_opener_resends"),
    ("POST", f"{_CAMPAIGN_ACTIVITY}/non_opener_resends"),
    ("DELETE", f"{_CAMPAIGN_ACTIVITY}/non_opener_resends/{{resend_request_id}}"),
    ("GET", f"{_CAMPAIGN_ACTIVITY}/previews"),
    ("GET", f"{_CAMPAIGN_ACTIVITY}/schedules"),
    ("POST", f"{_CAMPAIGN_ACTIVITY}/schedules"),
    ("DELETE", f"{_CAMPAIGN_ACTIVITY}/schedules"),
    ("GET", f"{_CAMPAIGN_ACTIVITY}/send_history"),
    ("POST", f"{_CAMPAIGN_ACTIVITY}/tests"),
    ("GET", "/reports/stats/email_campaigns/{campaign_ids}"),
    ("GET", "/reports/summary_reports/email_campaign_summaries"),
)

blueprint = Blueprint("not_imitated", __name__, url_prefix="/v3")


def _refuse(**_ids: str) -> NoReturn:
    """Answer 501 to every caller: tokens and scopes are not checked here."""
    raise NotImitated(f"{request.method} {request.path}")


for _method, _template in NOT_IMITATED:
    blueprint.add_url_rule(
        _template.replace("{", "<").replace("}", ">"), endpoint="refuse", view_func=_refuse, methods=[_method]
    )
