"""The settings of the programme as one file, as an operator carries them."""

from __future__ import annotations

from pathlib import Path

from domain.audit import Target
from tests.api.test_commands import USER, CommandLine, command
from tests.domain.programme_file.files import FULL, with_changes

__all__ = ["command"]

WARNED = "".join(
    f"warning: line {line}: earning_rules[1].themes.{theme}: no product has this theme\n"
    for line, theme in ((61, "coffee"), (62, "tea"))
)


def test_the_settings_are_carried_in_and_out(command: CommandLine, tmp_path: Path) -> None:
    file, copy = tmp_path / "programme.yaml", tmp_path / "copy.yaml"
    file.write_text(FULL)
    checked = command.run("import-programme", str(file), "--check")
    assert checked.endswith("\n102 changes, none of them made: this was a check\n")
    assert command.log() == []
    taken = command.run("import-programme", str(file)).splitlines()
    assert taken[:2] == [
        "  programme.name_zh: 积分会员 -> 茶语会员",
        "  programme.name_en: Jifen Rewards -> Teatalk Club",
    ]
    assert taken[-1] == "102 changes"
    assert command.run("import-programme", str(file)) == f"{WARNED}no changes\n"
    command.run("export-programme", str(copy))
    assert copy.read_text() == FULL == command.run("export-programme", "-")
    file.write_text(with_changes(("points_price: 500", "points_price: 600")))
    assert command.run("import-programme", str(file)) == (
        f"  rewards[mug].points_price: 500 -> 600\n{WARNED}1 change\n"
    )
    *_, change, whole = command.log()
    assert (change.actor, change.action, change.target) == (
        USER,
        "reward.change",
        Target(kind="reward", id="mug"),
    )
    assert (whole.action, whole.target) == (
        "programme.import",
        Target(kind="programme", id="1"),
    )


def test_a_bad_file_is_told_line_by_line_and_changes_nothing(
    command: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "programme.yaml"
    file.write_text(with_changes(("match: ANY", "match: SOME"), ("days: 60", "dayz: 60")))
    assert command.run("import-programme", str(file), status=1) == (
        f"{file}: line 52: levels[2].match: one of ALL, ANY\n"
        f"{file}: line 90: rewards[1].coupon.dayz: no such field\n"
    )
    assert command.log() == []


def test_a_file_that_is_not_there_is_told_in_one_line(command: CommandLine, tmp_path: Path) -> None:
    nowhere = tmp_path / "none.yaml"
    for name, file, why in (
        ("import-programme", nowhere, "No such file or directory"),
        ("import-programme", tmp_path, "Is a directory"),
        ("export-programme", tmp_path, "Is a directory"),
        ("export-programme", nowhere / "deep.yaml", "No such file or directory"),
    ):
        assert command.run(name, str(file), status=1) == f"refused: {file}: {why}\n"
    assert command.log() == []
