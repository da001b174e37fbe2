"""Who may read what, made from the policies of the schema, in Markdown.

`docs/access.md` keeps it; `python -m api.cli print-access` writes it anew, and a test fails when it
is stale. So a change of who may read a field is a change of that page, and is read by whoever
reviews it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from graphql import GraphQLInterfaceType, GraphQLObjectType

from domain.access import CallerKind, StaffRole
from schema.building import JifenSchema
from schema.descriptions import attribute_descriptions
from schema.policies import NOBODY, Grant, Policy
from schema.requirements import field_policy

_HEAD: Final = """\
# Who may read what

<!-- Made by `python -m api.cli print-access`: change the code it is made from, not this page. -->

Every field of the schema says who may read it, beside its declaration. What is asked of a caller
who may not is refused as a whole, before anything runs: `UNAUTHENTICATED` without a token,
`FORBIDDEN` with another's. A member reads only their own: another's object is answered like one
that does not exist. Which rows a shop, a partner or staff sees is decided where they enter, at
`partner` and `staff`.

## Roles of staff

No role contains another: who does two jobs holds two. `set-grants` gives and takes them
([how](operations.md#who-may-call)).

"""
_ROLES_HEAD: Final = "| role | what it is for |\n| --- | --- |\n"
_FIELDS_HEAD: Final = "\n## Fields\n\n| type | fields | who |\n| --- | --- | --- |\n"


def access_catalogue(schema: JifenSchema) -> str:
    """The whole page."""
    meanings = attribute_descriptions(StaffRole)
    roles = "".join(f"| `{role}` | {_line(meanings[role.name])} |\n" for role in StaffRole)
    rows = "".join(f"| {' | '.join(cells)} |\n" for cells in _rows(schema))
    return _HEAD + _ROLES_HEAD + roles + _FIELDS_HEAD + rows


def _rows(schema: JifenSchema) -> Iterator[tuple[str, str, str]]:
    for name, owner in sorted(schema._schema.type_map.items()):
        if not isinstance(owner, GraphQLObjectType | GraphQLInterfaceType) or name[:2] == "__":
            continue
        by_policy: dict[Policy, list[str]] = {}
        for field_name, declared in owner.fields.items():
            by_policy.setdefault(field_policy(declared) or NOBODY, []).append(field_name)
        for policy, fields in by_policy.items():
            listed = ", ".join(f"`{field}`" for field in fields)
            yield f"`{name}`", "all" if len(by_policy) == 1 else listed, _who(policy)


def _who(policy: Policy) -> str:
    if policy.is_public:
        return "everybody"
    return "; ".join(_admitted(grant) for grant in policy.grants)


def _admitted(grant: Grant) -> str:
    if grant.kinds == {CallerKind.MEMBER}:
        return "members"
    if grant.kinds == {CallerKind.STAFF}:
        roles = ", ".join(f"`{role}`" for role in StaffRole if role in grant.roles)
        return f"staff: {roles}" if roles else "staff"
    if not grant.kinds:
        return "nobody"
    return f"scope `{grant.scope}`" if grant.scope else "shops and partners"


def _line(text: str) -> str:
    return " ".join(text.split())
