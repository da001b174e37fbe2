"""Limits on documents, as a constant validation rule made once from the settings.

Depth and aliases are counted over the operation with its fragments spread out, each fragment
measured once: fragments that refer to each other in a circle, or double at each step, cost no more
than their text. Introspection is exempt from the depth limit where it is allowed; graphql-core
bounds it by a rule of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    SKIP,
    ASTValidationRule,
    DirectiveNode,
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VisitorAction,
)

from api.settings import LimitSettings
from domain.access import Caller
from schema.documents import DocumentLimits
from schema.faults import CodedError, FaultCode

BATCH_SCOPES: Final = frozenset({"purchases:write", "rewards:write"})
"""Scopes whose holders send batches, so that their bodies may be larger."""


def body_bytes_max(limits: LimitSettings, caller: Caller | None) -> int:
    """How large a body the caller may send; known before the body is parsed, or even read."""
    if caller is not None and not BATCH_SCOPES.isdisjoint(caller.scopes):
        return limits.batch_body_bytes_max
    return limits.body_bytes_max


def document_limits(limits: LimitSettings) -> DocumentLimits:
    """What `schema.documents` holds documents to. Call it once: rules are told by identity."""
    return DocumentLimits(
        tokens_max=limits.tokens_max,
        rules=(_selection_rule(limits),),
        errors_max=limits.errors_max,
        kept_tokens_max=limits.kept_tokens_max,
    )


@dataclass(frozen=True, slots=True)
class _Spread:
    """A fragment's place: how deep it stands, None under introspection, which is exempt."""

    fragment: str
    depth: int | None


@dataclass(slots=True)
class _Outline:
    """What one operation or fragment has by itself, without the fragments it spreads."""

    depth: int = 0
    aliases: int = 0
    spreads: list[_Spread] = field(default_factory=list)
    directives_most: tuple[int, Node | None] = (0, None)
    repetitions_most: tuple[int, Node | None] = (0, None)


@dataclass(frozen=True, slots=True)
class _Size:
    """What an operation or fragment has in all."""

    depth: int = 0
    aliases: int = 0


def _selection_rule(limits: LimitSettings) -> type[ASTValidationRule]:
    """The rule that holds depth, aliases, directives and repetitions to these limits."""

    class SelectionLimits(ASTValidationRule):
        """Looks at the document as a whole, once."""

        def enter_document(self, document: DocumentNode, *_: Any) -> VisitorAction:
            """Report every limit that is exceeded."""
            for error in _exceeded(document, limits):
                self.report_error(error)
            return SKIP

    return SelectionLimits


def _exceeded(document: DocumentNode, limits: LimitSettings) -> Iterator[CodedError]:
    outlines: dict[str, _Outline] = {}
    operations: list[tuple[OperationDefinitionNode, _Outline]] = []
    for definition in document.definitions:
        if isinstance(definition, FragmentDefinitionNode):
            outline = outlines[definition.name.value] = _outline(definition)
        elif isinstance(definition, OperationDefinitionNode):
            outline = _outline(definition)
            operations.append((definition, outline))
        else:
            continue
        yield from _exceeded_in_one_place(outline, limits)
    sizes = _fragment_sizes(outlines)
    for operation, outline in operations:
        size = _total(outline, sizes)
        if size.depth > limits.depth_max:
            message = f"The operation selects deeper than {limits.depth_max} levels."
            yield CodedError(
                FaultCode.DEPTH_LIMIT, message, nodes=[operation], limit=limits.depth_max
            )
        if size.aliases > limits.aliases_max:
            message = f"The operation has more than {limits.aliases_max} aliases."
            yield CodedError(
                FaultCode.ALIAS_LIMIT, message, nodes=[operation], limit=limits.aliases_max
            )


def _exceeded_in_one_place(outline: _Outline, limits: LimitSettings) -> Iterator[CodedError]:
    count, node = outline.directives_most
    if node is not None and count > limits.directives_max:
        message = f"One place has more than {limits.directives_max} directives."
        yield CodedError(
            FaultCode.DIRECTIVE_LIMIT, message, nodes=[node], limit=limits.directives_max
        )
    count, node = outline.repetitions_most
    if node is not None and count > limits.repetitions_max:
        message = f"One selection repeats a field more than {limits.repetitions_max} times."
        yield CodedError(
            FaultCode.REPETITION_LIMIT, message, nodes=[node], limit=limits.repetitions_max
        )


def _outline(definition: OperationDefinitionNode | FragmentDefinitionNode) -> _Outline:
    """Measure one definition; each selection set is a turn of the loop, not of the stack."""
    outline = _Outline()
    _count_directives(outline, definition, definition.directives)
    pending: list[tuple[SelectionSetNode, int | None]] = [(definition.selection_set, 1)]
    while pending:
        selection_set, depth = pending.pop()
        names: Counter[str] = Counter()
        flat: list[Node] = list(selection_set.selections)
        while flat:
            node = flat.pop()
            if isinstance(node, InlineFragmentNode):
                flat += node.selection_set.selections
            elif isinstance(node, FragmentSpreadNode):
                names[f"...{node.name.value}"] += 1
                outline.spreads.append(_Spread(node.name.value, depth))
            elif isinstance(node, FieldNode):
                names[(node.alias or node.name).value] += 1
                outline.aliases += node.alias is not None
                outline.depth = max(outline.depth, depth or 0)
                if node.selection_set is not None:
                    pending.append((node.selection_set, _depth_below(node, depth)))
            _count_directives(outline, node, getattr(node, "directives", None))
        most = max(names.values(), default=0)
        if most > outline.repetitions_most[0]:
            outline.repetitions_most = (most, selection_set)
    return outline


def _depth_below(node: FieldNode, depth: int | None) -> int | None:
    if depth is None or node.name.value in {"__schema", "__type"}:
        return None
    return depth + 1


def _count_directives(
    outline: _Outline, node: Node, directives: tuple[DirectiveNode, ...] | None
) -> None:
    count = len(directives or ())
    if count > outline.directives_most[0]:
        outline.directives_most = (count, node)


def _fragment_sizes(outlines: dict[str, _Outline]) -> dict[str, _Size]:
    """The size of every fragment; what closes a circle adds nothing (validation refuses it)."""
    sizes: dict[str, _Size] = {}
    for root, root_outline in outlines.items():
        if root in sizes:
            continue
        path, on_path = [(root, iter(root_outline.spreads))], {root}
        while path:
            name, spreads = path[-1]
            for spread in spreads:
                inner = spread.fragment
                if inner in outlines and inner not in sizes and inner not in on_path:
                    path.append((inner, iter(outlines[inner].spreads)))
                    on_path.add(inner)
                    break
            else:
                path.pop()
                on_path.remove(name)
                sizes[name] = _total(outlines[name], sizes)
    return sizes


def _total(outline: _Outline, sizes: dict[str, _Size]) -> _Size:
    depth, aliases = outline.depth, outline.aliases
    for spread in outline.spreads:
        size = sizes.get(spread.fragment, _Size())
        aliases += size.aliases
        if spread.depth is not None:
            depth = max(depth, spread.depth - 1 + size.depth)
    return _Size(depth=depth, aliases=aliases)
