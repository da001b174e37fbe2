"""Settings, from the environment. `DATABASE_URL`, `REDIS_URL`, `PORT` and `FAKE_WECHAT_PORT` are
read as such, before the same names with the prefix; all others begin with `JIFEN_`, and those of a
group go on with its name: `JIFEN_LIMITS__DEPTH_MAX=12`.

The defaults serve a developer who has set nothing. In production whatever a demo would use is
refused, with one message that names every problem.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from decimal import Decimal
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from api.custody.settings import CustodySettings, PushSettings
from api.execution.settings import ExecutionSettings
from api.observability.settings import MetricsSettings, TraceSettings
from api.partners.settings import ReconciliationSettings
from api.persisted.settings import DocumentSettings
from api.rates.settings import RateSettings, with_development_rates
from api.recommending.settings import RecommendationSettings
from api.streaming.settings import StreamingSettings
from api.stress.settings import StressSettings
from api.telling.settings import (
    DEMO_TEMPLATES,
    SmsSettings,
    SmtpSettings,
    SubscribeTemplateSettings,
    template_problems,
)
from api.uploads.settings import UploadSettings
from api.workers.settings import WorkSettings
from domain.feedback import AttachmentFolder
from domain.files import FileStore
from domain.games import POINT_COST_FEN
from domain.ledger import AdjustmentRules, TransferLimits
from domain.rewards import RewardRules
from domain.storage import PoolSettings

DEMO_APP_ID: Final = "wxjifendemo0000001"
DEMO_APP_SECRET: Final = "jifen-demo-secret"  # noqa: S105 - production refuses it
LOCAL_ISSUER: Final = "http://localhost:8000"

DEVELOPMENT_STRESS: Final = {
    "caller_in_flight_max": 256,
    "burst_s_max": 10.0,
    "request_s_max": 6.0,
}
"""What a developer's gateway has instead: there one machine, busy with other things, sends two
hundred requests at once, and would rather wait for them than send them again.
"""


class LimitSettings(BaseModel):
    """What one request may be. Each limit has an error code of its own (see `schema.faults`)."""

    body_bytes_max: PositiveInt = 256 * 1024
    batch_body_bytes_max: PositiveInt = 1024 * 1024
    body_s_max: PositiveFloat = 3.0
    batch_body_s_max: PositiveFloat = 8.0
    query_string_bytes_max: PositiveInt = 16 * 1024
    document_characters_max: PositiveInt = 64 * 1024
    tokens_max: PositiveInt = 2_000
    depth_max: PositiveInt = 10
    aliases_max: int = Field(default=30, ge=0)
    directives_max: int = Field(default=5, ge=0)
    repetitions_max: PositiveInt = 30
    errors_max: PositiveInt = 5
    cost_max: PositiveInt = 1_000
    batch_cost_max: PositiveInt = 2_500
    kept_tokens_max: PositiveInt = 60_000


class TransferSettings(BaseModel):
    """What one member may give to others on one day of the programme; 0 forbids transfers."""

    points_per_day: int = Field(default=TransferLimits().points_per_day, ge=0)
    times_per_day: int = Field(default=TransferLimits().times_per_day, ge=0)


class DatabaseSettings(BaseModel):
    """How many connections to PostgreSQL a process holds. SQLite has one of its own."""

    connections_min: PositiveInt = 1
    connections_max: PositiveInt = 10
    """Of a worker of the gateway: two more than the requests that it works on at once."""

    work_connections_max: PositiveInt = 6
    """Of a process that does the background work."""

    @property
    def gateway_pool(self) -> PoolSettings:
        """The connections of a worker of the gateway."""
        return PoolSettings(size_min=self.connections_min, size_max=self.connections_max)

    @property
    def work_pool(self) -> PoolSettings:
        """Those of background work: nobody waits for it, and it must notice a silent database."""
        return PoolSettings(
            size_min=self.connections_min,
            size_max=self.work_connections_max,
            read_wait_s=5.0,
            write_wait_s=5.0,
            statement_timeout_ms=120_000,
            retry_within_s=10.0,
        )

    def problems(self) -> list[str]:
        """What does not fit together."""
        least = min(self.connections_max, self.work_connections_max)
        if self.connections_min <= least:
            return []
        return [f"JIFEN_DATABASE__CONNECTIONS_MIN exceeds the {least} connections there may be"]


class AdjustmentSettings(BaseModel):
    """Corrections of points by staff."""

    alone_max: int = Field(default=AdjustmentRules().alone_max, ge=0)
    """What one person may adjust alone for one member within 24 hours; 0: nothing."""

    expiry_months: PositiveInt = AdjustmentRules().expiry_months
    """How many months added points live, to a midnight of the programme."""


class RewardSettings(BaseModel):
    """Rewards and coupons."""

    reservation_minutes: PositiveInt = RewardRules().reservation_minutes
    """For how long a shop has a coupon that it reserved for an order."""

    grace_days: int = Field(default=RewardRules().grace_days, ge=0, le=3_650)
    """Through how many days after a cancellation points are good that had expired meanwhile."""


class GameSettings(BaseModel):
    """Games of partner platforms."""

    point_cost_fen: Decimal = Field(default=POINT_COST_FEN, ge=0, le=1_000_000)
    """What a point costs the programme, in fen: what the costs of campaigns are told by."""


class Settings(BaseSettings):
    """Everything about a deployment that is not code."""

    model_config = SettingsConfigDict(
        env_prefix="JIFEN_",
        env_nested_delimiter="__",
        extra="ignore",
        # A refusal must not print the values, secrets among them.
        hide_input_in_errors=True,
        frozen=True,
        populate_by_name=True,
    )

    environment: Literal["development", "production"] = "development"
    database_url: str = Field(
        default="sqlite://var/jifen.db", validation_alias=AliasChoices("DATABASE_URL")
    )
    redis_url: str = Field(default="memory://", validation_alias=AliasChoices("REDIS_URL"))
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65_535, validation_alias=AliasChoices("PORT"))
    fake_wechat_port: int = Field(
        default=8001, ge=1, le=65_535, validation_alias=AliasChoices("FAKE_WECHAT_PORT")
    )
    workers: PositiveInt = 1
    trusted_proxies: str = "127.0.0.1"
    issuer: str = LOCAL_ISSUER
    key_set_path: Path = Path("var/keys.json")
    phone_keys_path: Path | None = None
    wechat_base_url: str = ""
    wechat_apps: dict[str, SecretStr] = {DEMO_APP_ID: SecretStr(DEMO_APP_SECRET)}
    wechat_pushes: dict[str, PushSettings] = {}
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    database: DatabaseSettings = DatabaseSettings()
    limits: LimitSettings = LimitSettings()
    execution: ExecutionSettings = ExecutionSettings()
    rates: RateSettings = RateSettings()
    transfers: TransferSettings = TransferSettings()
    adjustments: AdjustmentSettings = AdjustmentSettings()
    rewards: RewardSettings = RewardSettings()
    games: GameSettings = GameSettings()
    sms: SmsSettings = SmsSettings()
    smtp: SmtpSettings = SmtpSettings()
    subscribe_messages: dict[str, dict[str, SubscribeTemplateSettings]] = {}
    notices_language: Literal["zh", "en"] = "zh"
    stress: StressSettings = StressSettings()
    work: WorkSettings = WorkSettings()
    custody: CustodySettings = CustodySettings()
    reconciliation: ReconciliationSettings = ReconciliationSettings()
    uploads: UploadSettings = UploadSettings()
    recommendations: RecommendationSettings = RecommendationSettings()
    streaming: StreamingSettings = StreamingSettings()
    metrics: MetricsSettings = MetricsSettings()
    traces: TraceSettings = TraceSettings()
    slow_operation_ms: int = Field(default=500, ge=0)
    documents: DocumentSettings = DocumentSettings()
    cors_origins: tuple[str, ...] = ()
    compression_bytes_min: int = Field(default=1_024, ge=0)

    @property
    def is_production(self) -> bool:
        """Whether this is a production deployment: closed to what only developers need."""
        return self.environment == "production"

    @property
    def works_in_process(self) -> bool:
        """Whether the gateway does the background work too."""
        return not self.is_production if self.work.in_process is None else self.work.in_process

    @property
    def phone_keys_file(self) -> Path:
        """Where the keys of phone numbers are: the setting, or else beside the signing keys."""
        return self.phone_keys_path or self.key_set_path.with_name("phone-keys.json")

    @property
    def reconciliation_files(self) -> FileStore:
        """Where the files of days are that partners fetch: beside those that members do."""
        return FileStore(self.custody.files_path / "reconciliation")

    @property
    def attachments(self) -> AttachmentFolder:
        """Where the pictures are that go with messages: beside them."""
        return AttachmentFolder(FileStore(self.custody.files_path / "attachments"))

    @property
    def public_url(self) -> str:
        """Where links lead that clients are given: the issuer's address, or else this machine's."""
        return self.issuer if "issuer" in self.model_fields_set else f"http://127.0.0.1:{self.port}"

    @property
    def wechat_url(self) -> str:
        """Where WeChat is: the setting, or else the fake one of this machine."""
        return self.wechat_base_url or f"http://127.0.0.1:{self.fake_wechat_port}"

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_development(cls, given: dict[str, Any]) -> dict[str, Any]:
        if given.get("environment") == "production":
            return given
        if DEMO_APP_ID in given.get("wechat_apps", (DEMO_APP_ID,)):
            given = {"subscribe_messages": {DEMO_APP_ID: DEMO_TEMPLATES}, **given}
        rates, stress = given.get("rates", {}), given.get("stress", {})
        if isinstance(rates, dict):
            given = {**given, "rates": with_development_rates(rates)}
        if isinstance(stress, dict):
            given = {**given, "stress": {**DEVELOPMENT_STRESS, **stress}}
        return given

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [
            *self._worker_problems(),
            *self._metrics_problems(),
            *self.database.problems(),
            *self.documents.problems(),
            *self.sms.problems(is_production=self.is_production),
            *self.smtp.problems(is_production=self.is_production),
            *template_problems(self.subscribe_messages, apps=self.wechat_apps),
            *self._origin_problems(),
            *self._push_problems(),
            *self._production_problems(),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _worker_problems(self) -> list[str]:
        if self.workers > 1 and self.redis_url.startswith("memory:"):
            return ["several workers need a shared Redis: set REDIS_URL, or JIFEN_WORKERS=1"]
        return []

    def _metrics_problems(self) -> list[str]:
        shared = self.metrics.token is not None or self.metrics.addresses
        if self.workers > 1 and shared:
            return [
                "several workers would answer /metrics in turn, each with its own: "
                "set JIFEN_METRICS__PORT instead of a token or addresses"
            ]
        return []

    def _origin_problems(self) -> list[str]:
        return [
            f"JIFEN_CORS_ORIGINS: {origin!r} is no origin like https://app.example.com"
            for origin in self.cors_origins
            if origin != "*" and not re.fullmatch(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?", origin)
        ]

    def _push_problems(self) -> list[str]:
        problems = [
            problem
            for app_id, push in self.wechat_pushes.items()
            for problem in push.problems(app_id)
        ]
        unknown = sorted(self.wechat_pushes.keys() - self.wechat_apps.keys())
        if unknown:
            problems.append(f"JIFEN_WECHAT_PUSHES: {unknown[0]} is not in JIFEN_WECHAT_APPS")
        return problems

    def _production_problems(self) -> list[str]:
        if not self.is_production:
            return []
        checks = {
            "REDIS_URL must name a Redis": not self.redis_url.startswith(
                ("redis://", "rediss://", "unix://")
            ),
            "DATABASE_URL must name a PostgreSQL database": self.database_url.startswith("sqlite"),
            "JIFEN_ISSUER must be this server's https address": (
                not self.issuer.startswith("https://")
            ),
            "JIFEN_KEY_SET_PATH must be set": "key_set_path" not in self.model_fields_set,
            "JIFEN_WECHAT_BASE_URL must be WeChat's https address": (
                not self.wechat_base_url.startswith("https://")
            ),
            "JIFEN_WECHAT_PUSHES must have the aes_key of each": any(
                push.aes_key is None for push in self.wechat_pushes.values()
            ),
            "JIFEN_WECHAT_APPS must name the programme's own mini-programs": (
                not self.wechat_apps
                or DEMO_APP_ID in self.wechat_apps
                or any(
                    secret.get_secret_value() in {"", DEMO_APP_SECRET}
                    for secret in self.wechat_apps.values()
                )
            ),
        }
        return [f"in production {problem}" for problem, found in checks.items() if found]


OF_OTHERS: Final = frozenset(
    {"JIFEN_DATA", "JIFEN_OPERATIONS", "JIFEN_REQUIRE_ALL_PARTS", "JIFEN_SOAK"}
)
"""Names with our prefix that choose what tests run with."""


def read_settings() -> Settings:
    """The settings of the environment. What is wrong with them ends the process with one line.

    A name that is no setting's is told on standard error: it is likely misspelt.
    """
    for name, meant in unknown_names(os.environ):
        hint = f"; did you mean {meant}?" if meant else ""
        sys.stderr.write(f"warning: {name} is no setting of Jifen{hint}\n")
    try:
        return Settings()
    except ValidationError as invalid:
        named = ([*map(str, error["loc"]), error["msg"]] for error in invalid.errors())
        raise SystemExit("; ".join(": ".join(parts) for parts in named)) from None
    except SettingsError as unreadable:
        raise SystemExit(f"{unreadable}") from None


def unknown_names(environment: Iterable[str]) -> list[tuple[str, str | None]]:
    """The names with our prefix that are no setting's, each with the one that it looks like."""
    known = dict(_names(Settings, "JIFEN_"))

    def is_known(name: str) -> bool:
        # A single setting may be a mapping, given entry by entry.
        return name in known or any(
            name.startswith(f"{one}__") for one, is_group in known.items() if not is_group
        )

    return [
        (name, next(iter(get_close_matches(name.upper(), known, n=1)), None))
        for name in sorted(environment)
        if name.upper().startswith("JIFEN_")
        and name.upper() not in OF_OTHERS
        and not is_known(name.upper())
    ]


def _names(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, bool]]:
    """The variables of a model, each with whether it names a group, which is one JSON value."""
    for name, field in model.model_fields.items():
        variable, inner = f"{prefix}{name}".upper(), field.annotation
        is_group = isinstance(inner, type) and issubclass(inner, BaseModel)
        yield variable, is_group
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from _names(inner, f"{variable}__")
