"""Documents with variables, conditions, fragments and repetitions put into them."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    ArgumentNode,
    DocumentNode,
    FieldNode,
    GraphQLSchema,
    Node,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_enum_type,
    is_list_type,
    is_non_null_type,
    is_scalar_type,
    parse,
    print_ast,
    validate,
    value_from_ast_untyped,
    visit,
)

CONDITIONS: Final = ("yes", "no", "maybe")
PLACES: Final = 0.2
"""How often something is added where it can be."""


@dataclass(frozen=True, slots=True)
class Varied:
    """A document and two sets of values for its variables."""

    text: str
    document: DocumentNode
    values: tuple[dict[str, Any], dict[str, Any]]


def varied(schema: GraphQLSchema, text: str, dice: random.Random) -> Varied | None:
    """The document with more in it; None where what came out is not valid."""
    types = TypeInfo(schema)
    changing = _Changing(schema, types, dice)
    changed = visit(parse(text), TypeInfoVisitor(types, changing))
    declared = " ".join(f"${name}: {of}" for name, of in changing.declared.items())
    body = print_ast(changed)
    if declared:
        head, _, rest = body.partition("{")
        head = head.strip() or "query"
        body = f"{head.partition('(')[0]}({declared}) {{{rest}"
    made = "\n".join([body, *changing.fragments])
    document = parse(made)
    if validate(schema, document):
        return None
    return Varied(made, document, (changing.values(0), changing.values(1)))


@dataclass
class _Changing(Visitor):
    """Adds to a document. What stands in it already stays."""

    schema: GraphQLSchema
    types: TypeInfo
    dice: random.Random
    declared: dict[str, str] = field(default_factory=dict)
    fragments: list[str] = field(default_factory=list)
    _values: list[dict[str, Any]] = field(default_factory=lambda: [{}, {}])

    def __post_init__(self) -> None:
        super().__init__()

    def values(self, number: int) -> dict[str, Any]:
        return self._values[number]

    def enter_argument(self, node: ArgumentNode, *_: Any) -> ArgumentNode | None:
        """Put a variable in the place of a value."""
        type_ = self.types.get_input_type()
        named = get_named_type(type_)
        if type_ is None or not (is_scalar_type(named) or is_enum_type(named)):
            return None
        bare = type_.of_type if is_non_null_type(type_) else type_
        if is_list_type(bare) or self.dice.random() < 0.4:
            return None
        name = f"v{len(self.declared)}"
        self.declared[name] = str(type_)
        value = value_from_ast_untyped(node.value)
        self._values[0][name] = value
        self._values[1][name] = self._other(value, type_)
        if not is_non_null_type(type_) and self.dice.random() < 0.1:
            del self._values[1][name]
        made = parse(f"{{a(b: ${name})}}").definitions[0].selection_set.selections[0].arguments[0]  # type: ignore[attr-defined]  # so it is
        return ArgumentNode(name=node.name, value=made.value)

    def leave_field(self, node: FieldNode, *_: Any) -> FieldNode | None:
        """Let it stand under a condition, which hangs on a variable."""
        if self.dice.random() >= PLACES:
            return None
        directive = self._condition()
        made = _selections(f"{{a {directive}}}")[0]
        changed: FieldNode = _with(
            node, directives=(*(node.directives or ()), *(made.directives or ()))
        )
        return changed

    def leave_selection_set(self, node: SelectionSetNode, *_: Any) -> SelectionSetNode | None:
        """Repeat a field, or put several into a fragment."""
        parent = self.types.get_parent_type()
        if parent is None or self.dice.random() >= 2 * PLACES:
            return None
        added: list[Any] = []
        some = [one for one in node.selections if self.dice.random() < 0.5]
        if some:
            inner = print_ast(SelectionSetNode(selections=tuple(some)))
            kind = self.dice.randrange(3)
            if kind == 0:
                name = f"F{len(self.fragments)}"
                self.fragments.append(f"fragment {name} on {parent.name} {inner}")
                added = _selections(f"{{ ...{name} {self._condition()} }}")
            elif kind == 1:
                added = _selections(f"{{ ...on {parent.name} {self._condition()} {inner} }}")
            else:
                added = [*some, *_selections("{ __typename other: __typename }")]
        at = self.dice.randrange(len(node.selections) + 1)
        made = (*node.selections[:at], *added, *node.selections[at:])
        return SelectionSetNode(selections=made, loc=node.loc)

    def _condition(self) -> str:
        kind = self.dice.randrange(6)
        if kind == 0:
            return ""
        if kind == 1:
            return self.dice.choice(["@skip(if: false)", "@include(if: true)", "@skip(if: true)"])
        name = self.dice.choice(CONDITIONS)
        if name not in self.declared:
            given = self.dice.random() < 0.5
            self.declared[name] = "Boolean!" if given else "Boolean = true"
            self._values[0][name] = self.dice.random() < 0.7
            if given or self.dice.random() < 0.5:
                self._values[1][name] = self.dice.random() < 0.5
        return f"@{self.dice.choice(['include', 'skip', 'include'])}(if: ${name})"

    def _other(self, value: Any, type_: Any) -> Any:
        named = get_named_type(type_)
        if not is_non_null_type(type_) and self.dice.random() < 0.2:
            return None
        if is_enum_type(named):
            return self.dice.choice([*named.values])
        match value:
            case bool():
                return not value
            case int():
                return self.dice.choice([0, 1, 2, 3, 20, value])
            case str():
                return self.dice.choice([value, "other", ""])
            case _:
                return value


def _selections(text: str) -> list[Any]:
    return [*parse(text).definitions[0].selection_set.selections]  # type: ignore[attr-defined]  # so it is


def _with(node: Node, **changes: Any) -> Any:
    return type(node)(**{key: changes.get(key, getattr(node, key)) for key in node.keys})
