"""What the documents name is real: commands, targets, settings, links, codes, GraphQL, files."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest
import typer.core
import typer.main
from graphql import GraphQLEnumType, GraphQLSchema, build_schema, parse, validate

from api.cli.commands import app
from api.imports.rejects import RejectCode
from domain.errors import ErrorCode
from domain.notifications import KINDS
from schema.changes import CHANGED
from schema.faults import FaultCode
from schema.timeline import TITLES
from tests.repository.guides import (
    Guide,
    broken_links,
    commands,
    make_targets,
    read_guides,
    settings_with_defaults,
    variables,
)
from tests.repository.test_commands import phony_targets
from tests.repository.tree import ROOT

GUIDES = {guide.name: guide for guide in read_guides()}


def options_of(command: typer.core.TyperCommand | typer.core.TyperGroup) -> set[str]:
    """The options of a command, or of all commands of a group."""
    own = {option for one in command.params for option in [*one.opts, *one.secondary_opts]}
    below = command.commands.values() if isinstance(command, typer.core.TyperGroup) else ()
    return own.union(*(options_of(one) for one in below))  # type: ignore[arg-type]


COMMANDS = {
    name: options_of(command)  # type: ignore[arg-type]
    for name, command in typer.main.get_group(app).commands.items()
}
SETTINGS = settings_with_defaults()
OF_TESTS = {
    "TEST_DATABASE_URL",
    "TEST_REDIS_URL",
    *re.findall(r"JIFEN_[A-Z_]+", (ROOT / ".ci" / "run").read_text()),
}


@pytest.fixture(params=GUIDES)
def guide(request: pytest.FixtureRequest) -> Guide:
    return GUIDES[request.param]


def test_links_lead_somewhere(guide: Guide) -> None:
    assert list(broken_links(guide)) == []


def test_make_targets_exist(guide: Guide) -> None:
    assert make_targets(guide) <= phony_targets()


def test_commands_and_their_options_exist(guide: Guide) -> None:
    for name, options in commands(guide):
        assert name in COMMANDS
        assert options <= COMMANDS[name] | {"--help"}, name


def test_settings_exist(guide: Guide) -> None:
    prefixed = {f"JIFEN_{name}" for name in SETTINGS if not name.startswith("JIFEN_")}
    assert variables(guide) <= SETTINGS.keys() | prefixed | OF_TESTS


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema((ROOT / "schema" / "schema.graphql").read_text())


def test_graphql_fits_the_schema(guide: Guide, schema: GraphQLSchema) -> None:
    for document in guide.blocks("graphql"):
        assert validate(schema, parse(document)) == []


def test_json_is_json(guide: Guide) -> None:
    for document in guide.blocks("json"):
        json.loads(document)


def test_codes_are_answered_by_something(guide: Guide, schema: GraphQLSchema) -> None:
    named = {piece for piece in guide.inline() if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", piece)}
    changes = {kind for kind, _ in CHANGED.values()}
    enums = [one for one in schema.type_map.values() if isinstance(one, GraphQLEnumType)]
    told = {*changes, *TITLES, *KINDS}.union(*(one.values for one in enums))
    assert named - variables(guide) <= {*ErrorCode, *FaultCode, *RejectCode, *told}


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(
        r"^\| `([A-Z_]+)` \| (.+?) \| .+ \|$", GUIDES["docs/operations.md"].text, re.MULTILINE
    )
    documented = dict(rows)
    assert len(rows) == len(documented)
    assert documented.keys() == SETTINGS.keys()
    told_in_words = {
        name: default for name, default in documented.items() if not default.startswith("`")
    }
    assert told_in_words == {
        "JIFEN_CORS_ORIGINS": "none",
        "JIFEN_DOCUMENTS__MANIFEST": "none",
        "JIFEN_DOCUMENTS__TRUSTED_ONLY_FOR": "members, and who has no token",
        "JIFEN_METRICS__ADDRESSES": "none",
        "JIFEN_METRICS__PORT": "none",
        "JIFEN_METRICS__TOKEN": "none",
        "JIFEN_PHONE_KEYS_PATH": "beside the signing keys: `phone-keys.json`",
        "JIFEN_SMS__SECRET": "none",
        "JIFEN_SMS__URL": "empty",
        "JIFEN_SMTP__FROM_ADDRESS": "empty",
        "JIFEN_SMTP__FROM_NAME": "empty",
        "JIFEN_SMTP__HOST": "empty",
        "JIFEN_SMTP__PASSWORD": "none",
        "JIFEN_SMTP__USERNAME": "empty",
        "JIFEN_SUBSCRIBE_MESSAGES": "none; in development the demo's",
        "JIFEN_TRACES__ENDPOINT": "none",
        "JIFEN_TRACES__HEADERS": "none",
        "JIFEN_WECHAT_APPS": "the demo's app",
        "JIFEN_WECHAT_PUSHES": "none",
        "JIFEN_WECHAT_BASE_URL": "empty",
        "JIFEN_WORK__IN_PROCESS": "in development",
    }
    for name in documented.keys() - told_in_words.keys():
        assert documented[name] == f"`{SETTINGS[name]}`", name


def test_every_command_is_documented() -> None:
    page = GUIDES["docs/operations.md"].text
    cells = re.findall(r"^\| ((?:`[a-z-]+`(?:, )?)+) \|", page, re.MULTILINE)
    assert sorted(re.findall(r"`([a-z-]+)`", " ".join(cells))) == sorted(COMMANDS)


def test_every_reason_to_reject_a_row_is_documented() -> None:
    pages = ("docs/shops.md", "docs/members.md")
    assert set(RejectCode) <= {word for page in pages for word in GUIDES[page].inline()}


def test_the_architecture_page_draws_the_ladder_that_is_enforced() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [ladder] = [one for one in contracts["contracts"] if one.get("containers") == ["domain"]]
    drawn = [block.splitlines() for block in GUIDES["docs/ARCHITECTURE.md"].blocks()]
    assert ladder["layers"] in drawn


def files_named(guide: Guide) -> list[tuple[str, str]]:
    """Python files in its code, each with the name after the colon, if any."""
    pattern = re.compile(r"([\w/]+\.py)(?::(\w+))?")
    found = (pattern.fullmatch(piece) for piece in guide.inline())
    return [(match[1], match[2] or "") for match in found if match]


@pytest.mark.parametrize("name_of_guide", [name for name in GUIDES if "/decisions/" not in name])
def test_files_and_functions_that_are_named_exist(name_of_guide: str) -> None:
    """A decision is left out: it is never rewritten, and tells of what was then."""
    guide = GUIDES[name_of_guide]
    for name, function in files_named(guide):
        inside = [ROOT / name] if "/" in name else list(ROOT.glob(f"[a-z]*/**/{name}"))
        found = [path for path in [*inside, ROOT / name] if path.is_file()]
        assert found, f"{guide.name}: {name}"
        if function:
            texts = "\n".join(path.read_text() for path in found)
            assert re.search(rf"\b(def|class) {function}\b", texts), f"{name}:{function}"


UNSEEN_BY_MEMBERS = {"MEMBER_ERASED"}


def test_every_kind_of_change_is_documented() -> None:
    page = GUIDES["docs/mini-program.md"].text
    section = page.partition("## What changed\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+`) \|", section, re.MULTILINE)
    told = [kind for row in rows for kind in re.findall(r"`([A-Z_]+)`", row)]
    assert sorted(told) == sorted({kind for kind, _ in CHANGED.values()} - UNSEEN_BY_MEMBERS)


def test_every_mutation_of_members_says_whether_it_is_repeated() -> None:
    page = GUIDES["docs/mini-program.md"].text
    section = page.partition("### Retries\n")[2].partition("\n## ")[0]
    told = set(re.findall(r"`([a-z][A-Za-z]+)`", section))
    policies = re.findall(
        r"^\| `Mutation` \| ([^|]+) \| (?:members|everybody) \|$",
        (ROOT / "docs" / "access.md").read_text(),
        re.MULTILINE,
    )
    served = {name for row in policies for name in re.findall(r"`(\w+)`", row)}
    assert len(served) >= 14
    assert served <= told


def test_both_halves_of_the_readme_show_the_same_commands() -> None:
    english, chinese = GUIDES["README.md"].text.split("\n# 中文\n")
    languages = ("sh", "json", "text")
    shown = Guide(name="English", text=english).blocks(*languages)
    assert shown == Guide(name="中文", text=chinese).blocks(*languages)
    assert len(shown) == 7


def test_the_quick_start_is_what_make_run_prints() -> None:
    from api.demo.pasting import home_command, sign_in_command

    graphql_url = "http://127.0.0.1:8000/graphql"
    sign_in = sign_in_command(
        fake_wechat_url="http://127.0.0.1:8001",
        graphql_url=graphql_url,
        app_id="wxjifendemo0000001",
    )
    blocks = GUIDES["README.md"].blocks("sh")
    for printed in (sign_in, home_command(graphql_url=graphql_url)):
        assert f"{printed}\n" in blocks


def test_what_does_not_exist_is_found(tmp_path: Path) -> None:
    text = (
        "# A page\n[gone](gone.md) [nowhere](#nowhere) [here](#a-page) `make sense` "
        "`python -m api.cli dance --fast` `JIFEN_SHOE_SIZE`\n"
        "```sh\nPORT=1 make haste\npython -m api.cli issue-token x \\\n  --minutes 5\n```\n"
    )
    (tmp_path / "page.md").write_text(text)
    page = Guide(name="page.md", text=text)
    assert list(broken_links(page, tmp_path)) == [
        "page.md: gone.md: no such file",
        "page.md: #nowhere: no such heading",
    ]
    assert make_targets(page) == {"sense", "haste"}
    assert dict(commands(page)) == {"dance": {"--fast"}, "issue-token": {"--minutes"}}
    assert variables(page) == {"PORT", "JIFEN_SHOE_SIZE"}
