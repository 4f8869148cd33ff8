"""Every part with its real collaborators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask

import sandbox
from oauth.connecting.account_check import AccountCheck
from oauth.connecting.connector import Connector
from oauth.connecting.control import ConnectionControl
from oauth.encryption import TokenCipher
from oauth.refresh.thread import RefreshThread
from services import Services
from services.access.admin import AdminAccess
from services.access.api_keys import ApiKeys, DrainToken
from services.access.proxy_watch import ProxyWatch
from services.access.requester import STRANGER
from services.account.fields_and_tags import FieldsAndTags
from services.account.lists import ListCache
from services.account.opt_outs import OptOutTable
from services.connection.audit import ConnectionAudit
from services.connection.status import ConnectionStatus, ConnectLimit
from services.connection.token_ages import TokenClock
from services.constant_contact.quota import CallQuota
from services.delivery.kinds.sign_up import SignUpSender
from services.delivery.pacing import Pacing
from services.forms.faults import FormFaults
from services.signups.manage import SignupActions
from settings import Settings
from store import Store
from store.engine.clock import DatabaseClock
from store.engine.database import Database
from wiring import constant_contact as vendor
from wiring.clock import clock
from wiring.forms import build_forms
from wiring.operations import build_doctor, build_health, build_housekeeping, build_metrics
from wiring.proxies import build_proxy_watch
from wiring.signing import build_visitor_keys, derived_keys
from wiring.signups import build_delivery, build_intake
from wiring.storage import Storage, suspected_ceiling
from wiring.token_care import seed_planter, token_care

SCOPES = ("contact_data", "account_read", "offline_access")


@dataclass(frozen=True)
class Parts:
    """What `create_app` wires into the web: the use cases, the consent flow, the database, the sandbox."""

    services: Services
    connector: Connector
    ticker: RefreshThread
    plant_seed: Callable[[], None]
    starting: Callable[[], None]
    refresh_keys: Callable[[], None]
    proxy_watch: ProxyWatch
    database: Database
    sandbox: Flask | None


def build_services(settings: Settings) -> Parts:
    """Every part with its real collaborators; nothing is opened yet."""
    database = Database(settings.store_url)
    keeping = Storage.of(settings, database)
    tables = Store.of(
        database,
        spooled=keeping.spool.waits,
        stranger=STRANGER,
        ceiling=suspected_ceiling(settings),
    )
    stand_in = sandbox.create_sandbox() if settings.builtin_sandbox else None
    server, sealer = vendor.authorization_server(settings, stand_in), TokenCipher(settings.encryption_keys)
    events = ConnectionAudit(tables.events, clock=clock)
    keeper, ticker = token_care(settings, tables, server, sealer, events)
    connection = ConnectionStatus(tables.connections, clock=clock, public_client=settings.public_client)
    # What several hosts tell each other by times in the rows goes by the one clock of their database.
    shared_clock = DatabaseClock(tables.database, local=clock)
    api = vendor.constant_contact(
        settings, stand_in, keeper, booked=lambda: tables.budget.note(shared_clock())
    )
    authorize = vendor.authorizing(keeper)
    permits = CallQuota(tables.budget, clock=shared_clock, authorize=authorize)
    lists = ListCache(vendor=api, connection=connection, meta=tables.meta, permits=permits, clock=clock)
    vocabulary = FieldsAndTags.of(
        vendor=api, connection=connection, meta=tables.meta, permits=permits, clock=clock
    )
    opt_outs = OptOutTable(
        opt_outs=tables.opt_outs, vendor=api, permits=permits, connection=connection, clock=shared_clock
    )
    sender = SignUpSender(
        vendor=api,
        permits=permits,
        lists=lists,
        vocabulary=vocabulary,
        opt_outs=opt_outs,
        returning=settings.returning,
        clock=shared_clock,
    )
    departures = Pacing(permits=permits, budget=tables.budget, clock=shared_clock)
    delivery = build_delivery(
        tables, connection, lists, vocabulary, opt_outs, departures, sender, authorize, shared_clock
    )

    def connected() -> None:
        # What paused under the old tokens says nothing about the new ones.
        tables.budget.resume()
        delivery.wake()

    account_of = vendor.account_of(api, permits)
    keeper.pin_account = AccountCheck(tables.connections, account_of, clock=clock, on_event=events.record)
    connector = Connector(
        tables.connections,
        tables.oauth_attempts,
        server,
        sealer,
        clock=clock,
        scopes=SCOPES,
        pkce=settings.pkce,
        on_connected=connected,
        account_of=account_of,
        fingerprint=settings.fingerprint,
        on_event=events.record,
    )
    control = ConnectionControl(keeper, connector, tables.connections, sealer, on_refreshed=connected)
    tokens = TokenClock(tables.connections, clock=clock)
    proxy_watch = build_proxy_watch(settings, tables.meta)
    visitor_keys = build_visitor_keys(settings, tables.meta, sealer, shared_clock)
    forms = build_forms(settings, tables, visitor_keys, delivery, shared_clock)
    form_faults = FormFaults(forms.directory, lists, vocabulary)
    services = Services(
        intake=build_intake(
            settings, tables, keeping, connection, lists, forms, vocabulary, delivery, shared_clock
        ),
        signups=SignupActions(
            records=tables.signup_records,
            deliveries=tables.deliveries,
            care=tables.care,
            budget=tables.budget,
            lists=lists,
            clock=clock,
        ),
        lists=lists,
        forms=forms.directory,
        protection=forms.protection,
        proofs=forms.proofs,
        quarantine=forms.quarantine,
        captchas=forms.captchas,
        field_notes=forms.notes,
        open_lists=forms.open_lists,
        delivery=delivery,
        connection=connection,
        connection_control=control,
        tokens=tokens,
        events=tables.events.recent,
        health=build_health(
            settings, tables, keeping, connection, forms, delivery, proxy_watch, opt_outs, form_faults
        ),
        housekeeping=build_housekeeping(tables, keeping, forms, delivery, visitor_keys, proxy_watch),
        metrics=build_metrics(tables, connection, tokens),
        doctor=build_doctor(
            settings, tables, keeping, connection, control, tokens, forms, proxy_watch, form_faults
        ),
        form_faults=form_faults,
        admin=_admin(settings, tables),
        api_keys=ApiKeys(settings.api_keys),
        drain_token=DrainToken(settings.drain_token.get_secret_value()),
        vocabulary=vocabulary,
    )
    plant_seed = seed_planter(settings, tables, sealer, events)
    starting = ConnectLimit(tables.throttles, clock=clock)
    return Parts(
        services=services,
        connector=connector,
        ticker=ticker,
        plant_seed=plant_seed,
        starting=starting,
        refresh_keys=visitor_keys.refresh,
        proxy_watch=proxy_watch,
        database=tables.database,
        sandbox=stand_in,
    )


def _admin(settings: Settings, tables: Store) -> AdminAccess:
    return AdminAccess(
        password=settings.admin_password.get_secret_value(),
        keys=derived_keys(settings),
        throttles=tables.throttles,
        spent_tokens=tables.spent_tokens,
        clock=clock,
    )
