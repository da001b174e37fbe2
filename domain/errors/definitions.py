"""What the programme is cannot be defined, changed or imported as was asked."""

from __future__ import annotations

from dataclasses import dataclass

from domain.errors.codes import ErrorCode
from domain.errors.refusal import Refusal


@dataclass(eq=False, kw_only=True)
class DefinitionRefusal(Refusal):
    """The branch of what cannot be defined, changed or imported as was asked."""


@dataclass(eq=False, kw_only=True)
class DefinitionChanged(DefinitionRefusal):
    """Returned when somebody changed the definition meanwhile: it is at `version` now."""

    code = ErrorCode.DEFINITION_CHANGED
    version: int


@dataclass(eq=False, kw_only=True)
class LevelUnknown(DefinitionRefusal):
    """Returned when no level has this code."""

    code = ErrorCode.LEVEL_UNKNOWN


@dataclass(eq=False, kw_only=True)
class LevelExists(DefinitionRefusal):
    """Returned when another level has this code."""

    code = ErrorCode.LEVEL_EXISTS
    level: str


@dataclass(eq=False, kw_only=True)
class LevelsOutOfOrder(DefinitionRefusal):
    """Returned when `level` would ask for less than `below`, the level below it, or for nothing."""

    code = ErrorCode.LEVELS_OUT_OF_ORDER
    level: str
    below: str


@dataclass(eq=False, kw_only=True)
class PerkExists(DefinitionRefusal):
    """Returned when the level has another perk of this code."""

    code = ErrorCode.PERK_EXISTS
    perk: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileProblem:
    """What is wrong in a file: the path of the value (`levels[2].threshold`), its line from 1."""

    path: str
    line: int
    rule: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.path + ': ' if self.path else ''}{self.rule}"


@dataclass(eq=False, kw_only=True)
class ProgrammeFileInvalid(DefinitionRefusal):
    """Returned when a programme's file breaks rules; `problems` names the first of them."""

    code = ErrorCode.PROGRAMME_FILE_INVALID
    problems: tuple[FileProblem, ...]
