"""All commands, by what they are about."""

from __future__ import annotations

import typer

from api.cli import (
    accounts,
    auditing,
    consents,
    custody,
    database,
    keys,
    ledger,
    levels,
    partners,
    programme,
    recommending,
    reconciling,
    service,
    serving,
    sweeping,
    webhooks,
    working,
)
from api.imports.commands import add_import_commands

app = typer.Typer(
    name="jifen",
    help="Jifen (积分): an open-source GraphQL loyalty gateway.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
serving.add_to(app)
database.add_to(app)
accounts.add_to(app)
partners.add_to(app)
keys.add_to(app)
auditing.add_to(app)
consents.add_to(app)
custody.add_to(app)
ledger.add_to(app)
levels.add_to(app)
programme.add_to(app)
working.add_to(app)
webhooks.add_to(app)
reconciling.add_to(app)
sweeping.add_to(app)
recommending.add_to(app)
service.add_to(app)
add_import_commands(app)
