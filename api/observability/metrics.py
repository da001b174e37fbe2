"""The metrics, one object for each, in a registry of our own.

They belong to the process: whoever has something to count imports the metric and counts. Labels are
taken from closed sets only (codes, kinds, outcomes, routes) and from `names.OPERATIONS`, which is
bounded: no client can make a series of its own.
"""

from __future__ import annotations

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
)
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

# When each series was first counted is one more series each, and nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the client's

REGISTRY: Final = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_STATEMENT_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)
_WAIT_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2)

HTTP_REQUESTS: Final = Counter(
    "jifen_http_requests",
    "Requests answered, by route, method and status; 499 is a client that left.",
    ("route", "method", "status"),
    registry=REGISTRY,
)
OPERATION_SECONDS: Final = Histogram(
    "jifen_operation_duration_seconds",
    "Operations run, by name and outcome: parsing to result, without the wait for admission.",
    ("operation", "outcome"),
    buckets=_REQUEST_SECONDS,
    registry=REGISTRY,
)
OPERATIONS_IN_FLIGHT: Final = Gauge(
    "jifen_operations_in_flight", "Operations that run now.", registry=REGISTRY
)
PLANNED_OPERATIONS: Final = Counter(
    "jifen_executed_operations",
    "Operations executed, by whether a plan made any of their values: planned, unplanned.",
    ("how",),
    registry=REGISTRY,
)
PLANNED_VALUES: Final = Counter(
    "jifen_planned_values",
    "Values that plans were to make, by what became of it: made, given_up.",
    ("outcome",),
    registry=REGISTRY,
)
SLOW_OPERATIONS: Final = Counter(
    "jifen_slow_operations",
    "Operations that took longer than JIFEN_SLOW_OPERATION_MS.",
    ("operation",),
    registry=REGISTRY,
)
ERRORS: Final = Counter(
    "jifen_errors", "Top-level errors answered, by code.", ("code",), registry=REGISTRY
)
REFUSALS: Final = Counter(
    "jifen_refusals", "Refusals answered in userErrors, by code.", ("code",), registry=REGISTRY
)
ADMISSION_QUEUE: Final = Gauge(
    "jifen_admission_queue", "Requests that wait to be let in.", registry=REGISTRY
)
SHED: Final = Counter(
    "jifen_shed",
    "Requests that were turned away for want of room, by reason.",
    ("reason",),
    registry=REGISTRY,
)
RATE_LIMITED: Final = Counter(
    "jifen_rate_limited",
    "Requests and fields refused by a rate limit, by what was limited.",
    ("limit",),
    registry=REGISTRY,
)
SUBSCRIPTIONS: Final = Gauge(
    "jifen_subscriptions_open",
    "Subscriptions that are open, by transport.",
    ("transport",),
    registry=REGISTRY,
)
SUBSCRIPTION_EVENTS: Final = Counter(
    "jifen_subscription_events",
    "Events sent to subscribers, by the name of their operation.",
    ("operation",),
    registry=REGISTRY,
)
OUTBOX_UNDELIVERED: Final = Gauge(
    "jifen_outbox_undelivered",
    "Events that are not delivered yet. Every process tells the same: take the maximum.",
    registry=REGISTRY,
)
OUTBOX_LAG: Final = Gauge(
    "jifen_outbox_lag_seconds",
    "Age of the oldest event that is not delivered. Every process tells the same.",
    registry=REGISTRY,
)
OUTBOX_PARKED: Final = Gauge(
    "jifen_outbox_parked",
    "Events that were put aside after too many tries. Every process tells the same.",
    registry=REGISTRY,
)
LEDGER_FROZEN: Final = Gauge(
    "jifen_ledger_frozen_accounts",
    "Accounts that an audit froze for debits. Every process tells the same: take the maximum.",
    registry=REGISTRY,
)
LEDGER_VIOLATIONS: Final = Counter(
    "jifen_ledger_violations",
    "Violations that recurring audits of the ledger found, by rule; an account counts each time.",
    ("rule",),
    registry=REGISTRY,
)
LEDGER_AUDITED: Final = Counter(
    "jifen_ledger_audited_entries",
    "Entries of the ledger that recurring audits read.",
    registry=REGISTRY,
)
WEBHOOKS: Final = Counter(
    "jifen_webhooks",
    "Webhooks sent to partners, by what became of the attempt: taken, not_taken.",
    ("outcome",),
    registry=REGISTRY,
)
MESSAGES: Final = Counter(
    "jifen_messages",
    "Notifications sent outside of the inbox, by channel and what came of the attempt: sent, "
    "not_sent.",
    ("channel", "outcome"),
    registry=REGISTRY,
)
TEXT_CHECKS: Final = Counter(
    "jifen_text_checks",
    "Texts that WeChat was asked about, by what became of it: settled, put_off.",
    ("outcome",),
    registry=REGISTRY,
)
REDIS_BREAKER_OPEN: Final = Gauge(
    "jifen_redis_breaker_open", "1 while Redis is not asked because it failed.", registry=REGISTRY
)
REDIS_FAILURES: Final = Counter(
    "jifen_redis_failures", "Commands that Redis did not answer in time.", registry=REGISTRY
)
STATEMENT_SECONDS: Final = Histogram(
    "jifen_database_statement_duration_seconds",
    "Statements sent, by kind and outcome, without the wait for a connection.",
    ("kind", "outcome"),
    buckets=_STATEMENT_SECONDS,
    registry=REGISTRY,
)
CONNECTION_WAIT_SECONDS: Final = Histogram(
    "jifen_database_connection_wait_seconds",
    "Waits for a connection, or for SQLite's writer, by outcome.",
    ("outcome",),
    buckets=_WAIT_SECONDS,
    registry=REGISTRY,
)
CONNECTIONS: Final = Gauge(
    "jifen_database_connections",
    "Connections of this process: all that are open, and those that are in use.",
    ("state",),
    registry=REGISTRY,
)
LOOP_LAG_SECONDS: Final = Histogram(
    "jifen_event_loop_lag_seconds",
    "How much later than asked the event loop woke a sleeper, twice a second.",
    buckets=_WAIT_SECONDS,
    registry=REGISTRY,
)
TRACE_FAILURES: Final = Counter(
    "jifen_trace_export_failures",
    "Complaints of the exporter of traces: spans were dropped, or the collector did not answer.",
    registry=REGISTRY,
)
