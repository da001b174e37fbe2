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
from domain.access import Caller, Scope
from schema.documents import DocumentLimits
from schema.faults import CodedError, FaultCode

BATCH_SCOPES: Final = frozenset[str]({Scope.PURCHASES_WRITE, Scope.REWARDS_WRITE})
"""Scopes whose holders send batches, so that their bodies may be larger."""

MERGED_FIELDS_MAX: Final = 20_000
"""How many fields are looked at to see what is merged: ten times those of a document."""


def body_bytes_max(limits: LimitSettings, caller: Caller | None) -> int:
    """How large a body the caller may send; known before the body is parsed, or even read."""
    if caller is not None and sends_batches(caller):
        return limits.batch_body_bytes_max
    return limits.body_bytes_max


def body_s_max(limits: LimitSettings, caller: Caller | None) -> float:
    """How long the caller's body may take to come in."""
    if caller is not None and sends_batches(caller):
        return limits.batch_body_s_max
    return limits.body_s_max


def sends_batches(caller: Caller) -> bool:
    """Whether the caller holds a scope that comes with larger bodies and more time."""
    return not BATCH_SCOPES.isdisjoint(caller.scopes)


def document_limits(limits: LimitSettings) -> DocumentLimits:
    """What `schema.documents` holds documents to. Call it once: rules are told by identity."""
    return DocumentLimits(
        cost_max=limits.cost_max,
        batch_cost_max=limits.batch_cost_max,
        tokens_max=limits.tokens_max,
        characters_max=limits.document_characters_max,
        rules=(_selection_rule(limits),),
        errors_max=limits.errors_max,
        kept_tokens_max=limits.kept_tokens_max,
    )


@dataclass(frozen=True, slots=True)
class _Spread:
    """A fragment's place: how deep it stands, None under introspection, which is exempt."""

    fragment: str
    depth: int | None


@dataclass(frozen=True, slots=True)
class _Level:
    """One selection: how often it has each field, which fragments it spreads, and what is below."""

    node: SelectionSetNode
    fields: Counter[str] = field(default_factory=Counter)
    spreads: list[str] = field(default_factory=list)
    below: list[tuple[str, _Level]] = field(default_factory=list)


@dataclass(slots=True)
class _Outline:
    """What one operation or fragment has by itself, without the fragments it spreads."""

    top: _Level
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
    measured = (*outlines.values(), *(outline for _, outline in operations))
    repeated = max((outline.repetitions_most[0] for outline in measured), default=0)
    if repeated <= limits.repetitions_max:
        for outline in measured:
            yield from _merged_too_often(outline, outlines, repetitions_max=limits.repetitions_max)
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


def _merged_too_often(
    outline: _Outline, outlines: dict[str, _Outline], *, repetitions_max: int
) -> Iterator[CodedError]:
    """The first selection that has a field too often once it is merged with those beside it.

    Fields of one name are merged, also from fragments, and so are the selections below them; every
    two of them are compared by validation. Hence the bound on them, and on the fragments of one
    selection. Each combination of selections is looked at once, and only so many of them.
    """
    pending: list[tuple[_Level, ...]] = [(outline.top,)]
    seen, fields_left = set[tuple[int, ...]](), MERGED_FIELDS_MAX
    while pending:
        levels = pending.pop()
        if tuple(map(id, levels)) in seen:
            continue
        seen.add(tuple(map(id, levels)))
        merged = _with_fragments(levels, outlines, fragments_max=repetitions_max)
        names = Counter(name for level in merged for name in level.fields.elements())
        fields_left -= names.total()
        if len(merged) > len(levels) + repetitions_max or fields_left < 0:
            message = f"One selection merges more than {repetitions_max} fragments."
        elif max(names.values(), default=0) > repetitions_max:
            message = f"One selection repeats a field more than {repetitions_max} times."
        else:
            below: dict[str, list[_Level]] = {}
            for level in merged:
                for name, inner in level.below:
                    below.setdefault(name, []).append(inner)
            pending += [tuple(inner) for inner in below.values()]
            continue
        nodes: list[Node] = [level.node for level in levels[:1]]
        yield CodedError(FaultCode.REPETITION_LIMIT, message, nodes=nodes, limit=repetitions_max)
        return


def _with_fragments(
    levels: tuple[_Level, ...], outlines: dict[str, _Outline], *, fragments_max: int
) -> list[_Level]:
    """The selections and those of the fragments they spread, of which one too many is enough."""
    merged, names = list(levels), set[str]()
    for level in merged:
        for name in level.spreads:
            if name in outlines and name not in names and len(names) <= fragments_max:
                names.add(name)
                merged.append(outlines[name].top)
    return merged


def _outline(definition: OperationDefinitionNode | FragmentDefinitionNode) -> _Outline:
    """Measure one definition; each selection set is a turn of the loop, not of the stack."""
    outline = _Outline(top=_Level(definition.selection_set))
    _count_directives(outline, definition, definition.directives)
    pending: list[tuple[_Level, int | None]] = [(outline.top, 1)]
    while pending:
        level, depth = pending.pop()
        names: Counter[str] = Counter()
        flat: list[Node] = list(level.node.selections)
        while flat:
            node = flat.pop()
            if isinstance(node, InlineFragmentNode):
                flat += node.selection_set.selections
            elif isinstance(node, FragmentSpreadNode):
                names[f"...{node.name.value}"] += 1
                level.spreads.append(node.name.value)
                outline.spreads.append(_Spread(node.name.value, depth))
            elif isinstance(node, FieldNode):
                name = (node.alias or node.name).value
                names[name] += 1
                level.fields[name] += 1
                outline.aliases += node.alias is not None
                outline.depth = max(outline.depth, depth or 0)
                if node.selection_set is not None:
                    inner = _Level(node.selection_set)
                    level.below.append((name, inner))
                    pending.append((inner, _depth_below(node, depth)))
            _count_directives(outline, node, getattr(node, "directives", None))
        most = max(names.values(), default=0)
        if most > outline.repetitions_most[0]:
            outline.repetitions_most = (most, level.node)
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
