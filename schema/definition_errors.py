"""What refusals of definitions and of programme files tell beside their message."""

from __future__ import annotations

from domain import errors
from schema.cost import Cost
from schema.errors import UserError, tells
from schema.fields import field, object_type
from schema.policies import PUBLIC


@tells(errors.DefinitionChanged)
@object_type(policy=PUBLIC)
class DefinitionChanged(UserError):
    """Somebody changed the definition meanwhile: read it again."""

    version: int
    """Where it stands now."""


@object_type(policy=PUBLIC)
class FileProblem:
    """What is wrong in a programme's file."""

    path: str
    """Where, for example `levels[2].threshold`; empty for the whole."""

    line: int
    """The line, from 1."""

    rule: str
    """The rule that is broken."""


@tells(errors.ProgrammeFileInvalid)
@object_type(policy=PUBLIC)
class ProgrammeFileInvalid(UserError):
    """A programme's file breaks rules."""

    problems: list[FileProblem] = field(PUBLIC, cost=Cost(items=20))
    """The first of them."""
