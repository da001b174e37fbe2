"""Background work: where it is done, how often, and how much at a time. All of it is a setting."""

from __future__ import annotations

from pydantic import BaseModel, Field, PositiveFloat, PositiveInt

from domain.outbox import DeliveryLimits


class WorkSettings(BaseModel):
    """What happens besides requests. Durations are in seconds unless their name says otherwise."""

    in_process: bool | None = None
    """Whether the gateway does it too. By default it does, except in production, where
    `python -m api.cli work` runs beside it."""

    poll_s: PositiveFloat = 1.0
    """How often a worker looks for events that nobody told it of."""

    streams_max: PositiveInt = 200
    events_max: PositiveInt = 1_000
    """What one round of delivery takes."""

    lease_s: PositiveFloat = 30.0
    """After so long the streams of a worker that died are taken over."""

    tries_max: PositiveInt = 8
    """A consumer may fail so often at an event: with the pauses between, over two minutes."""

    keep_events_days: PositiveInt = 30
    """For how long delivered events are kept, for clients that catch up."""

    forget_every_s: PositiveInt = 3_600
    refresh_recommendations_every_s: PositiveInt = 3_600
    sweep_points_every_s: PositiveInt = 60
    sweep_points_within_s: PositiveFloat = 50.0
    """How long one run of the sweeper may take; what is left is for the next."""

    audit_changes_every_s: PositiveInt = 60
    audit_everything_every_s: PositiveInt = 600
    """How often the night's audit of everything is gone on with, until it is over."""

    audit_begins_s: int = Field(default=19 * 3_600, ge=0, lt=86_400)
    """When a night begins, in seconds after midnight UTC: three in the morning in China."""

    evaluate_levels_every_s: PositiveInt = 600
    """How often levels whose time is over are reviewed, and the night's walk is gone on with."""

    tell_expiring_every_s: PositiveInt = 21_600
    """How often members are told of points that are about to expire."""

    send_letters_every_s: PositiveInt = 3_600
    """How often members are written to about new products of their themes."""

    letter_pause_days: PositiveInt = 7
    """A member gets one letter within so many days at most."""

    watch_deadlines_every_s: PositiveInt = 60
    """How often deadlines of tickets that passed are noted, paid for and told."""

    webhooks_at_once: PositiveInt = 4
    """Webhooks that one partner is sent at once by one process."""

    webhook_partners_max: PositiveInt = 64
    """Partners whom one process sends to at once."""

    text_checks_at_once: PositiveInt = 8
    """Texts that one process asks WeChat about at once."""

    keep_webhooks_days: PositiveInt = 30
    """For how long it is kept what was sent to partners, and what they have not taken."""

    messages_at_once: PositiveInt = 4
    """Notifications that one process sends at once by each channel."""

    keep_deliveries_days: PositiveInt = 90
    """For how long it is kept what was sent to members, and what was not."""

    stop_s: PositiveFloat = 10.0
    """What runs may take so long to end when the process is told to stop."""

    @property
    def delivery(self) -> DeliveryLimits:
        """The limits of a round."""
        return DeliveryLimits(
            streams_max=self.streams_max,
            events_max=self.events_max,
            lease_s=self.lease_s,
            tries_max=self.tries_max,
        )
