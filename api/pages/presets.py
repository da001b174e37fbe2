"""What developers try first: the operations that are served, with variables and a token that fits.

The start page shows them, GraphiQL opens with them. The tokens are those of the running demo; where
`make run` never ran there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from graphql import FieldNode, GraphQLObjectType, GraphQLSchema, SelectionSetNode, get_named_type

from api.demo.demo_file import read_demo
from api.pages.examples import example_variables
from api.settings import Settings
from schema.planned_operations import Operation, served_operations

TABS: Final = ("Home", "SignInWithWeChat", "PointsChanged", "Changes", "RecordPurchases")
"""What GraphiQL has open from the start, as far as it is served."""

ANONYMOUS: Final = frozenset(
    {"SignInWithWeChat", "RefreshSession", "RequestSignInCode", "SignInWithPhone"}
)
"""What is sent without a token."""

_ENTRIES: Final = frozenset({"me", "partner", "staff"})
"""Fields that only lead to what an operation is about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """An operation to try. `token` names the entry of the demo's file, None for none."""

    name: str
    kind: str
    audience: str
    text: str
    about: str
    token: str | None
    variables: Mapping[str, Any]


def served(schema: GraphQLSchema) -> list[Operation]:
    """The operations that the schema serves: by audience, signing in and the home page first.

    Takes half a second; ask once.
    """
    return sorted(served_operations(schema), key=_order)


def presets(
    operations: Sequence[Operation], schema: GraphQLSchema, settings: Settings
) -> list[Preset]:
    """The operations with what is needed to try them, as of now."""
    known = _known(settings)
    return [
        Preset(
            name=one.name,
            kind=one.kind,
            audience=one.audience,
            text=one.text,
            about=_about(one, schema),
            token=_token(one),
            variables=example_variables(one, schema, known=known),
        )
        for one in operations
    ]


def graphiql_presets(all_presets: Sequence[Preset]) -> dict[str, Any]:
    """The same as plain JSON values, for GraphiQL's script."""
    demo = read_demo() or {}
    return {
        "tabs": [name for name in TABS if any(one.name == name for one in all_presets)],
        "operations": {
            one.name: {
                "query": one.text,
                "variables": one.variables,
                "headers": _headers(demo.get(one.token) if one.token else None),
            }
            for one in all_presets
        },
        "headers": _headers(demo.get("memberToken")),
    }


def _headers(token: object) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if isinstance(token, str) else {}


def _known(settings: Settings) -> dict[str, Any]:
    """Values that the running demo takes."""
    demo = read_demo() or {}
    known: dict[str, Any] = {"appId": next(iter(settings.wechat_apps), "")}
    if demo.get("memberIds"):
        known["id"] = demo["memberIds"][0]
    return known


def _order(operation: Operation) -> tuple[str, int]:
    first = ("sign_in", "home")
    stem = operation.file.stem
    return operation.audience, first.index(stem) if stem in first else len(first)


def _token(operation: Operation) -> str | None:
    if operation.name in ANONYMOUS:
        return None
    if operation.audience != "partner":
        return f"{operation.audience}Token"
    return "partnerToken" if operation.file.stem == "rewards" else "shopToken"


def _about(operation: Operation, schema: GraphQLSchema) -> str:
    """What the schema says of the field that the operation is about."""
    root = schema.get_root_type(operation.definition.operation)
    return _described(root, operation.definition.selection_set) if root is not None else ""


def _described(parent: GraphQLObjectType, selected: SelectionSetNode) -> str:
    """The description of the field that asks for most; of what it leads to, where it only leads."""
    fields = [one for one in selected.selections if isinstance(one, FieldNode)]
    if not fields:
        return ""
    most = max(fields, key=_size)
    field = parent.fields.get(most.name.value)
    if field is None:
        return ""
    inner, below = get_named_type(field.type), most.selection_set
    if (
        most.name.value in _ENTRIES
        and isinstance(inner, GraphQLObjectType)
        and below is not None
        and len(below.selections) == 1
    ):
        return _described(inner, below)
    return field.description or ""


def _size(field: FieldNode) -> int:
    return len(field.selection_set.selections) if field.selection_set else 0
