"""The lock files: what they pin, and what is wrong with them."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

# Known vulnerabilities lie below these versions.
FLOORS = {
    "strawberry-graphql": "0.315.7",
    "starlette": "1.3.1",
    "python-multipart": "0.0.30",
    "pyjwt": "2.13.0",
    "redis": "4.5.4",
    "h11": "0.16.0",
    "orjson": "3.9.15",
}

_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>[\w.!+]+)( ; [^\\]+)?( \\)?$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def pins(lock: str) -> dict[str, Version]:
    """Each package's canonical name and the version that the lock pins."""
    return {
        canonicalize_name(match["name"]): Version(match["version"])
        for line in lock.splitlines()
        if (match := _PIN.match(line))
    }


def form_problems(lock: str) -> list[str]:
    """Lines that are neither a pin, nor its hash, nor a comment, and pins without a hash."""
    problems: list[str] = []
    hashed = True
    for number, line in enumerate(lock.splitlines(), start=1):
        if line.lstrip().startswith("#"):
            continue
        if _HASH.match(line):
            hashed = True
        elif _PIN.match(line):
            if not hashed:
                problems.append(f"line {number}: the pin before it has no hash")
            hashed = False
        else:
            problems.append(f"line {number}: not a pin, a hash or a comment: {line}")
    if not hashed:
        problems.append("the last pin has no hash")
    return problems


def unsatisfied(pyproject: str, pinned: dict[str, Version], *groups: str) -> list[str]:
    """Requirements of pyproject (and of its dependency groups) that the pins do not satisfy."""
    tables = tomllib.loads(pyproject)
    wanted = list(tables["project"]["dependencies"])
    for group in groups:
        wanted.extend(tables["dependency-groups"][group])
    problems: list[str] = []
    for requirement in map(Requirement, wanted):
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None:
            problems.append(f"{requirement} is not pinned")
        elif version not in requirement.specifier:
            problems.append(f"{requirement} is pinned at {version}")
    return problems


def below_floor(pinned: dict[str, Version]) -> list[str]:
    """Pins with a known vulnerability."""
    return [
        f"{name} {pinned[name]} is below {floor}"
        for name, floor in FLOORS.items()
        if name in pinned and pinned[name] < Version(floor)
    ]
