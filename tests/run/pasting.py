"""What is printed, or stands in a guide, run by the shell as whoever pastes it would."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.repository.tree import ROOT


def require(*tools: str) -> None:
    """Skip the test where a tool that the commands are written for is not there."""
    if missing := [one for one in tools if shutil.which(one) is None]:
        pytest.skip(f"the commands need {', '.join(missing)}")


def pasted(commands: str, *, cwd: Path) -> Any:
    """What the commands print, which is JSON."""
    done = subprocess.run(["bash", "-c", commands], cwd=cwd, capture_output=True, check=True)
    return orjson.loads(done.stdout)


def first_push() -> tuple[str, str, str]:
    """Of the partner's guide: what is to be pasted, its last command alone, and what it prints."""
    guide = (ROOT / "docs" / "partners.md").read_text()
    section = guide.partition("\n## Ten minutes\n")[2].partition("\n## ")[0]
    [commands] = re.findall(r"```bash\n(.*?)```", section, flags=re.DOTALL)
    [printed] = re.findall(r"```json\n(.*?)```", section, flags=re.DOTALL)
    return commands, commands[commands.rindex("\ncurl ") :], printed


def pushed_twice(*, cwd: Path) -> Sequence[Any]:
    """What the commands of the guide answer, and then the last of them again."""
    commands, last, _ = first_push()
    joined = f"echo '['\n{commands}\necho ','\n{last}\necho ']'"
    answers: Sequence[Any] = pasted(joined, cwd=cwd)
    return answers


def pushed_with_a_key(*, cwd: Path) -> Any:
    """Of the partner's guide: what both of its programs answer, after all that leads there.

    As in a clone: its folder of examples is at hand, and its environment is this one.
    """
    guide = (ROOT / "docs" / "partners.md").read_text()
    section = guide.partition("\n## With a key of your own\n")[2].partition("\n## ")[0]
    for name, language in (("push.py", "python"), ("push.mjs", "javascript")):
        [program] = re.findall(rf"```{language}\n(.*?)```", section, flags=re.DOTALL)
        (cwd / name).write_text(program)
    (cwd / "examples").symlink_to(ROOT / "examples")
    prepare, push = re.findall(r"```bash\n(.*?)```", section, flags=re.DOTALL)
    silently = f"{{\n{prepare}\n}} > /dev/null\n{push}"
    environment = f"export PYTHONPATH={shlex.quote(str(ROOT))}\n"
    return pasted(
        environment + silently.replace(".venv/bin/python", shlex.quote(sys.executable)), cwd=cwd
    )
