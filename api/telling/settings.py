"""Settings of the services through which members are told: text messages, mails, WeChat."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Literal

from pydantic import BaseModel, Field, PositiveFloat, SecretStr

from domain.mailing import MailServer, is_email
from domain.notifications import KINDS, SubscribeTemplate, SubscribeTemplates
from domain.texting import key_of
from domain.texts import is_storable


class SubscribeTemplateSettings(BaseModel):
    """A template of WeChat's subscribe messages, for one kind of notification."""

    template_id: str = Field(min_length=1, max_length=128)
    page: str | None = None
    values: dict[str, str] = {}
    """What fills each keyword: `title`, `body`, `at`, or a fact of the kind."""


OWN_VALUES: Final = frozenset({"title", "body", "at"})
"""What fills a keyword of every kind."""

DEADLINE_S_MAX: Final = 60.0
FROM_NAME_MAX: Final = 64
DEMO_TEMPLATE_ID: Final = "jifen-demo-template-of-the-fake-wechat-0001"
DEMO_TEMPLATES: Final = {
    kind: {
        "template_id": DEMO_TEMPLATE_ID,
        "page": "pages/index/index",
        "values": {"thing1": "title", "thing2": second, "time3": "at"},
    }
    # Twenty characters of the second line are shown: the number of an order, words of our own.
    for kind, second in {
        "ORDER_SHIPPED": "order",
        "ORDER_OUT_FOR_DELIVERY": "order",
        "ORDER_DELIVERED": "order",
        "TICKET_ANSWERED": "body",
        "TICKET_ASKED": "body",
    }.items()
}
"""Of the demo's mini-program: the fake WeChat takes every id of this form."""


def templates_of(
    settings: dict[str, dict[str, SubscribeTemplateSettings]],
) -> SubscribeTemplates:
    """The templates by app and kind, as the domain takes them."""
    return {
        app_id: {kind: SubscribeTemplate(**one.model_dump()) for kind, one in kinds.items()}
        for app_id, kinds in settings.items()
    }


def template_problems(
    settings: dict[str, dict[str, SubscribeTemplateSettings]], *, apps: Collection[str]
) -> list[str]:
    """What of the templates names an app, a kind, or a fact of a kind that there is not."""
    unknown = [one for one in settings if one not in apps]
    kinds = {kind for one in settings.values() for kind in one} - KINDS.keys()
    facts = {
        f"{kind} has no {fact}"
        for one in settings.values()
        for kind, template in one.items()
        if kind in KINDS
        for fact in {*template.values.values()} - OWN_VALUES - KINDS[kind].facts.keys()
    }
    return [
        *(f"JIFEN_SUBSCRIBE_MESSAGES: {one} is not in JIFEN_WECHAT_APPS" for one in unknown),
        *(f"JIFEN_SUBSCRIBE_MESSAGES: no kind of notification is {one}" for one in sorted(kinds)),
        *(f"JIFEN_SUBSCRIBE_MESSAGES: {one}" for one in sorted(facts)),
    ]


class SmsSettings(BaseModel):
    """The merchant's service that sends text messages. Without one, development logs them."""

    url: str = ""
    notices: bool = False
    """Whether notifications go out by text message too, each of which costs."""

    secret: SecretStr | None = None
    """What signs them: `whsec_` and the base64 of 24 to 64 random bytes."""

    def problems(self, *, is_production: bool) -> list[str]:
        """What does not fit together."""
        if not self.url:
            return []
        schemes = ("https://",) if is_production else ("https://", "http://")
        problems = []
        if not self.url.startswith(schemes):
            problems.append(f"JIFEN_SMS__URL must begin with {' or '.join(schemes)}")
        try:
            key_of(self.secret.get_secret_value() if self.secret else "")
        except ValueError as wrong:
            problems.append(f"JIFEN_SMS__SECRET {wrong}")
        return problems


class SmtpSettings(BaseModel):
    """The merchant's mail server. Without one, development logs mails."""

    host: str = ""
    port: int = Field(default=587, ge=1, le=65_535)
    security: Literal["tls", "starttls", "none"] = "starttls"
    """TLS from the first byte, TLS asked for (STARTTLS), or none: not in production."""

    username: str = ""
    password: SecretStr | None = None
    from_address: str = ""
    from_name: str = Field(default="", max_length=FROM_NAME_MAX)
    deadline_s: PositiveFloat = Field(default=20.0, le=DEADLINE_S_MAX)
    """How long one mail may take: well within the lease of whoever sends it."""

    @property
    def server(self) -> MailServer | None:
        """The server, where there is one."""
        if not self.host:
            return None
        return MailServer(
            host=self.host,
            port=self.port,
            security=self.security,
            username=self.username or None,
            password=self.password.get_secret_value() if self.password else None,
            from_address=self.from_address,
            from_name=self.from_name,
            deadline_s=self.deadline_s,
        )

    def problems(self, *, is_production: bool) -> list[str]:
        """What does not fit together."""
        if not self.host:
            return []
        problems = []
        if not is_email(self.from_address):
            problems.append("JIFEN_SMTP__FROM_ADDRESS must be an e-mail address")
        if self.from_name and not is_storable(self.from_name, characters_max=FROM_NAME_MAX):
            problems.append("JIFEN_SMTP__FROM_NAME must be one line without control characters")
        if bool(self.username) != bool(self.password):
            problems.append("JIFEN_SMTP__USERNAME and JIFEN_SMTP__PASSWORD go together")
        if is_production and self.security == "none":
            problems.append("JIFEN_SMTP__SECURITY must be tls or starttls in production")
        return problems
