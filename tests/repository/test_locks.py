"""The lock files pin every requirement by hash, name no place, and agree with each other."""

from __future__ import annotations

import pytest
from packaging.version import Version

from tests.repository.locks import below_floor, form_problems, pins, unsatisfied
from tests.repository.tree import ROOT

RUNTIME = (ROOT / "requirements.lock").read_text()
DEV = (ROOT / "requirements-dev.lock").read_text()
PYPROJECT = (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize("lock", [RUNTIME, DEV], ids=["runtime", "dev"])
def test_every_line_is_a_pin_with_hashes_and_no_place(lock: str) -> None:
    assert form_problems(lock) == []
    assert "://" not in lock


def test_the_pins_satisfy_pyproject() -> None:
    assert unsatisfied(PYPROJECT, pins(RUNTIME)) == []
    assert unsatisfied(PYPROJECT, pins(DEV), "dev") == []


def test_the_dev_lock_is_the_runtime_lock_and_more() -> None:
    runtime, dev = pins(RUNTIME), pins(DEV)
    assert runtime.items() <= dev.items()
    assert "pytest" in dev
    assert "pytest" not in runtime


def test_no_pin_has_a_known_vulnerability() -> None:
    assert below_floor(pins(DEV)) == []


def test_there_is_no_other_lock() -> None:
    assert not (ROOT / "uv.lock").exists()


HASH = "    --hash=sha256:" + "a" * 64


def test_a_lock_with_faults_is_found_out() -> None:
    lock = "\n".join([
        "# a comment",
        "--index-url https://example.com/simple",
        "one==1.0 \\", HASH,
        "two==2.0 ; sys_platform != 'win32' \\",
        "three @ https://example.com/three.whl",
        "four==4.0",
    ])  # fmt: skip
    assert form_problems(lock) == [
        "line 2: not a pin, a hash or a comment: --index-url https://example.com/simple",
        "line 6: not a pin, a hash or a comment: three @ https://example.com/three.whl",
        "line 7: the pin before it has no hash",
        "the last pin has no hash",
    ]
    assert pins(lock) == {"one": Version("1.0"), "two": Version("2.0"), "four": Version("4.0")}


def test_a_pin_that_pyproject_does_not_want_is_found() -> None:
    project = """
        [project]
        dependencies = ["One>=2", "two[extra]==2.*", "five"]
        [dependency-groups]
        dev = ["six>=6"]
    """
    pinned = {"one": Version("1.0"), "two": Version("2.5"), "six": Version("5.9")}
    assert unsatisfied(project, pinned, "dev") == [
        "One>=2 is pinned at 1.0",
        "five is not pinned",
        "six>=6 is pinned at 5.9",
    ]


def test_a_vulnerable_pin_is_found() -> None:
    assert below_floor({"h11": Version("0.14.0")}) == ["h11 0.14.0 is below 0.16.0"]
