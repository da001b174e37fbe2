"""Settings: names in the environment, defaults, and what production refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from api.settings import DEMO_APP_ID, DEMO_APP_SECRET, Settings, read_settings, unknown_names
from tests.api.gateway import development_settings, production_settings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "PORT", "FAKE_WECHAT_PORT"):
        monkeypatch.delenv(name, raising=False)


def problems(**changes: Any) -> list[str]:
    """What production says about these settings."""
    with pytest.raises(ValidationError) as caught:
        production_settings(**changes)
    (error,) = caught.value.errors()
    return error["msg"].removeprefix("Value error, ").split("; ")


def test_a_developer_needs_to_set_nothing() -> None:
    settings = Settings()
    assert settings.environment == "development"
    assert settings.database_url == "sqlite://var/jifen.db"
    assert settings.redis_url == "memory://"
    assert (settings.port, settings.fake_wechat_port, settings.workers) == (8000, 8001, 1)
    assert settings.wechat_url == "http://127.0.0.1:8001"
    assert settings.key_set_path == Path("var/keys.json")
    assert settings.limits.model_dump() == {
        "body_bytes_max": 262_144,
        "batch_body_bytes_max": 1_048_576,
        "body_s_max": 3.0,
        "batch_body_s_max": 8.0,
        "query_string_bytes_max": 16_384,
        "document_characters_max": 65_536,
        "tokens_max": 2_000,
        "depth_max": 10,
        "aliases_max": 30,
        "directives_max": 5,
        "repetitions_max": 30,
        "errors_max": 5,
        "cost_max": 1_000,
        "batch_cost_max": 2_500,
        "kept_tokens_max": 60_000,
    }


def test_the_environment_sets_four_names_alone_and_others_with_a_prefix(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in {
        "DATABASE_URL": "postgres://db/jifen",
        "REDIS_URL": "redis://cache/0",
        "PORT": "9000",
        "FAKE_WECHAT_PORT": "9001",
        "JIFEN_WORKERS": "4",
        "JIFEN_WECHAT_APPS": '{"wx1": "s1", "wx2": "s2"}',
        "JIFEN_LIMITS__DEPTH_MAX": "12",
    }.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.database_url == "postgres://db/jifen"
    assert settings.redis_url == "redis://cache/0"
    assert (settings.port, settings.fake_wechat_port, settings.workers) == (9000, 9001, 4)
    assert settings.wechat_apps == {"wx1": SecretStr("s1"), "wx2": SecretStr("s2")}
    assert settings.limits.depth_max == 12
    assert settings.limits.tokens_max == 2_000
    assert settings.wechat_url == "http://127.0.0.1:9001"


def test_a_name_that_stands_alone_wins_over_its_prefixed_twin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("JIFEN_PORT", "9002")
    assert Settings().port == 9002
    monkeypatch.setenv("PORT", "9000")
    assert Settings().port == 9000


def test_secrets_are_not_shown() -> None:
    assert DEMO_APP_SECRET not in repr(Settings())


def test_several_workers_refuse_a_redis_in_memory() -> None:
    message = "several workers need a shared Redis: set REDIS_URL, or JIFEN_WORKERS=1"
    with pytest.raises(ValidationError, match=re.escape(message)):
        development_settings(workers=2)
    assert development_settings(workers=2, redis_url="redis://cache/0").workers == 2


def test_production_takes_settings_of_its_own() -> None:
    assert production_settings().is_production


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"redis_url": "memory://"}, "REDIS_URL must name a Redis"),
        (
            {"database_url": "sqlite://var/jifen.db"},
            "DATABASE_URL must name a PostgreSQL database",
        ),
        (
            {"issuer": "http://localhost:8000"},
            "JIFEN_ISSUER must be this server's https address",
        ),
        (
            {"wechat_base_url": ""},
            "JIFEN_WECHAT_BASE_URL must be WeChat's https address",
        ),
        (
            {"wechat_base_url": "http://127.0.0.1:8001"},
            "JIFEN_WECHAT_BASE_URL must be WeChat's https address",
        ),
        *(
            ({"wechat_apps": apps}, "JIFEN_WECHAT_APPS must name the programme's own mini-programs")
            for apps in (
                {},
                {DEMO_APP_ID: "a-real-secret"},
                {"wx1": DEMO_APP_SECRET},
                {"wx1": ""},
            )
        ),
    ],
)
def test_production_refuses_what_a_demo_would_use(changes: dict[str, Any], problem: str) -> None:
    assert problems(**changes) == [f"in production {problem}"]


def test_production_names_every_problem_at_once() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(environment="production")
    (error,) = caught.value.errors()
    assert error["msg"].count("in production ") == 6


@pytest.mark.parametrize(
    "changes", [{"port": 0}, {"port": 65_536}, {"workers": 0}, {"environment": "staging"}]
)
def test_values_out_of_range_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        development_settings(**changes)


def test_rates_are_those_of_production_unless_it_is_development(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(settings: Settings) -> list[tuple[int, int]]:
        rates = settings.rates
        buckets = (rates.member, rates.address, rates.refresh_token)
        return [(one.capacity, one.restored_per_minute) for one in buckets]

    assert told(production_settings()) == [(6_000, 7_200), (6_000, 7_200), (5, 10)]
    assert told(development_settings()) == [(10_000, 30_000), (50_000, 600_000), (5, 10)]
    # What is set stands, and only what is left out depends on where it is.
    monkeypatch.setenv("JIFEN_RATES__MEMBER__CAPACITY", "9000")
    monkeypatch.setenv("JIFEN_RATES__ADDRESS", '{"capacity": 7, "restored_per_minute": 8}')
    assert told(development_settings()) == [(9_000, 30_000), (7, 8), (5, 10)]
    monkeypatch.setenv("JIFEN_RATES__MEMBER__RESTORED_PER_MINUTE", "60")
    assert told(production_settings()) == [(9_000, 60), (7, 8), (5, 10)]


@pytest.mark.parametrize("capacity", ["0", "-1", "100000001", "1.5", "many"])
def test_a_bucket_that_cannot_be_reckoned_is_refused(
    monkeypatch: pytest.MonkeyPatch, capacity: str
) -> None:
    monkeypatch.setenv("JIFEN_RATES__MEMBER__CAPACITY", capacity)
    with pytest.raises(SystemExit, match=r"rates: member: capacity"):
        read_settings()


def test_connections_are_as_many_as_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    database = read_settings().database
    assert (database.gateway_pool.size_min, database.gateway_pool.size_max) == (1, 10)
    assert (database.work_pool.size_min, database.work_pool.size_max) == (1, 6)
    monkeypatch.setenv("JIFEN_DATABASE__CONNECTIONS_MIN", "3")
    monkeypatch.setenv("JIFEN_DATABASE__CONNECTIONS_MAX", "20")
    monkeypatch.setenv("JIFEN_DATABASE__WORK_CONNECTIONS_MAX", "4")
    database = read_settings().database
    assert (database.gateway_pool.size_min, database.gateway_pool.size_max) == (3, 20)
    assert (database.work_pool.size_min, database.work_pool.size_max) == (3, 4)
    monkeypatch.setenv("JIFEN_DATABASE__CONNECTIONS_MIN", "5")
    with pytest.raises(SystemExit, match="exceeds the 4 connections"):
        read_settings()


def test_a_misspelt_name_is_told_with_the_one_it_looks_like() -> None:
    environment = [
        "JIFEN_LIMITS__DEPHT_MAX",
        "JIFEN_SMTP__HOSTS",
        "JIFEN_TRUSTED_PROXYS",
        "JIFEN_XYZZY_PLUGH",
        "jifen_log_level",
        "JIFEN_LIMITS",
        "JIFEN_LIMITS__DEPTH_MAX",
        "JIFEN_RATES__MEMBER__CAPACITY",
        "JIFEN_WECHAT_APPS__WX1",
        "JIFEN_DATA",
        "DATABASE_URL",
        "PATH",
    ]
    assert unknown_names(environment) == [
        ("JIFEN_LIMITS__DEPHT_MAX", "JIFEN_LIMITS__DEPTH_MAX"),
        ("JIFEN_SMTP__HOSTS", "JIFEN_SMTP__HOST"),
        ("JIFEN_TRUSTED_PROXYS", "JIFEN_TRUSTED_PROXIES"),
        ("JIFEN_XYZZY_PLUGH", None),
    ]


def test_reading_the_settings_warns_of_a_misspelt_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JIFEN_LIMITS__DEPHT_MAX", "3")
    assert read_settings().limits.depth_max == 10
    assert capsys.readouterr().err == (
        "warning: JIFEN_LIMITS__DEPHT_MAX is no setting of Jifen; "
        "did you mean JIFEN_LIMITS__DEPTH_MAX?\n"
    )
