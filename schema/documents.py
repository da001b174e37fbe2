"""Documents: what is known about one before it runs, found out once and kept.

A document is parsed, held to the limits, validated, and searched for the access policies that each
of its operations needs. Documents that pass are kept by their text in a cache that is bounded by
tokens, because a hostile document of 2,000 tokens occupies about a megabyte. Errors are made anew
for each request. Rule classes are constant and made once: see `api.limits` for the limits.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    OperationType,
    StringValueNode,
    Token,
    TokenKind,
    TypeInfo,
    ValidationContext,
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)
from graphql.validation import recommended_rules
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule
from strawberry.types.graphql import OperationType as StrawberryOperationType

from domain.access import CallerKind
from resolvers.context import RequestContext
from schema.cost_plans import CostPlan
from schema.document_costs import operation_costs
from schema.faults import SIGNATURE_MISSING_MESSAGE, CodedError, FaultCode, blames_values
from schema.requirements import DocumentNeeds, document_needs

NUMBER_LENGTH_MAX: Final = 400
"""No number of 64 bits, whole or not, takes more characters. Longer ones than that are refused as
they are read, before anything reckons with them: Python refuses 4,301 digits in words of its own.
"""

_LONG_NUMBER: Final = re.compile(rf"\d{{{NUMBER_LENGTH_MAX}}}")


CHARACTERS_PER_TOKEN: Final = 100
"""A character has up to four bytes, and the text stands in the tree once more."""


class NoNulRule(ASTValidationRule):
    """Refuses U+0000 in string values, which PostgreSQL cannot store."""

    def enter_string_value(self, node: StringValueNode, *_: Any) -> None:
        """Report a string with a NUL."""
        if "\0" in node.value:
            message = "Strings must not contain U+0000."
            self.report_error(CodedError(FaultCode.BAD_USER_INPUT, message, nodes=[node]))


VALIDATION_RULES: Final = (
    *dict.fromkeys((*specified_rules, *recommended_rules)),
    MaybeNullValidationRule,
    OneOfInputValidationRule,
    NoNulRule,
)


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What a document may be. `rules` are checked before the others; each looks at the document
    as a whole, when it enters it.

    `cost_max` is the most that an operation may cost; `batch_cost_max` that one may of a caller who
    sends batches, who asks about whole ones too, or one about the schema alone. Before it is known
    who asks, documents are held to the larger of the two by the least that they can cost.
    """

    cost_max: int | None = None
    batch_cost_max: int | None = None
    tokens_max: int | None = None
    rules: tuple[type[ASTValidationRule], ...] = ()
    characters_max: int | None = None
    errors_max: int = 5
    kept_tokens_max: int = 60_000

    def cost_max_of(self, *, in_batches: bool) -> int | None:
        """The most that an operation may cost of one who sends batches, or not."""
        return self.batch_cost_max if in_batches else self.cost_max


@dataclass(frozen=True, slots=True)
class PreparedDocument:
    """A valid document, what its operations need and cost, and how many tokens it occupies."""

    document: DocumentNode
    needs: DocumentNeeds
    costs: dict[str | None, CostPlan]
    tokens: int

    def operation_name(self, named: str | None) -> str | None:
        """The name of the operation that a request means. Raises LookupError when it means none."""
        names = self.needs.requirements.keys()
        if named is None and len(names) == 1:
            return next(iter(names))
        if named not in names or named is None:
            raise LookupError(named)
        return named


class InvalidDocument(Exception):
    """Raised when a document cannot be prepared; `errors` say why, coded."""

    def __init__(self, errors: list[GraphQLError]) -> None:
        super().__init__(errors[0].message)
        self.errors = errors


@dataclass(slots=True)
class Documents:
    """The documents of one schema: prepares them, and keeps those that are valid."""

    limits: DocumentLimits
    _kept: OrderedDict[str, PreparedDocument] = field(default_factory=OrderedDict)
    _pinned: dict[str, PreparedDocument] = field(default_factory=dict)
    _tokens: int = 0

    def kept(self, query: str) -> PreparedDocument | None:
        """The document with this text, if it is pinned or was kept."""
        found = self._pinned.get(query)
        if found is not None:
            return found
        found = self._kept.get(query)
        if found is not None:
            self._kept.move_to_end(query)
        return found

    def pin(self, schema: GraphQLSchema, query: str) -> None:
        """Prepare a document that is never let go, beside the bound. Raises InvalidDocument."""
        self._pinned[query] = self.prepare(schema, query)

    def has_pinned(self, operation: OperationDefinitionNode) -> bool:
        """Whether the operation stands in a pinned document, so that it is there for good."""
        return any(
            operation is one
            for prepared in self._pinned.values()
            for one in prepared.document.definitions
        )

    def pinned_names(self) -> frozenset[str]:
        """The names of the operations in the pinned documents."""
        return frozenset(
            one.name.value
            for prepared in self._pinned.values()
            for one in prepared.document.definitions
            if isinstance(one, OperationDefinitionNode) and one.name is not None
        )

    def may_change(self, query: str | None, operation_name: str | None) -> bool:
        """Whether the operation may be a mutation: also where its document is not known."""
        prepared = self.kept(query or "")
        operation = get_operation_ast(prepared.document, operation_name) if prepared else None
        return operation is None or operation.operation is OperationType.MUTATION

    def keep(self, query: str, prepared: PreparedDocument) -> None:
        """Keep a document; the ones not used for longest make room."""
        weight = _weight(query, prepared)
        if weight > self.limits.kept_tokens_max or query in self._kept:
            return
        self._kept[query] = prepared
        self._tokens += weight
        while self._tokens > self.limits.kept_tokens_max:
            self._tokens -= _weight(*self._kept.popitem(last=False))

    def parse(self, query: str) -> DocumentNode:
        """The syntax tree. Raises CodedError."""
        tokens_max, characters_max = self.limits.tokens_max, self.limits.characters_max
        if characters_max is not None and len(query) > characters_max:
            message = f"The document has more than {characters_max} characters."
            raise CodedError(FaultCode.TOKEN_LIMIT, message, limit=characters_max)
        try:
            document = parse(query, max_lexical_tokens=tokens_max, max_comments=tokens_max)
            if _LONG_NUMBER.search(query):
                _refuse_long_numbers(document)
            return document
        except GraphQLSyntaxError as error:
            # The parser has no error class of its own for its limits.
            exceeded = f"contains more than {tokens_max} " in error.message
            code = FaultCode.TOKEN_LIMIT if exceeded else FaultCode.GRAPHQL_PARSE_FAILED
            failure = CodedError(code, error.message)
            failure.locations = error.locations
            failure.source, failure.positions = error.source, error.positions
            raise failure from None

    def prepare(self, schema: GraphQLSchema, query: str) -> PreparedDocument:
        """The document with this text, kept or made. Raises InvalidDocument."""
        found = self.kept(query)
        if found is not None:
            return found
        try:
            document = self.parse(query)
        except CodedError as failure:
            raise InvalidDocument([failure]) from None
        return self.check(schema, query, document)

    def check(self, schema: GraphQLSchema, query: str, document: DocumentNode) -> PreparedDocument:
        """Validate what was parsed from `query` and keep it. Raises InvalidDocument."""
        errors = self.validate(schema, document)
        if errors:
            raise InvalidDocument(errors)
        try:
            costs = operation_costs(
                schema, document, cost_max=self.limits.cost_max_of(in_batches=True)
            )
        except CodedError as failure:
            raise InvalidDocument([failure]) from None
        prepared = PreparedDocument(
            document=document,
            needs=document_needs(schema, document),
            costs=costs,
            tokens=_token_count(document),
        )
        self.keep(query, prepared)
        return prepared

    def validate(self, schema: GraphQLSchema, document: DocumentNode) -> list[GraphQLError]:
        """What is wrong with the document, coded; the limits first, and alone if exceeded."""
        if self.limits.rules:
            exceeded: list[GraphQLError] = []
            context = ValidationContext(schema, document, TypeInfo(schema), exceeded.append)
            for rule in self.limits.rules:
                rule(context).enter_document(document)  # type: ignore[attr-defined]  # see there
            if exceeded:
                return exceeded
        return [
            _coded(error)
            for error in validate(
                schema, document, VALIDATION_RULES, max_errors=self.limits.errors_max
            )
        ]


class DocumentExtension(SchemaExtension):
    """Strawberry's hooks: parse, validate and check access through `Documents`."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents
        self.prepared: PreparedDocument | None = None

    def on_parse(self) -> Iterator[None]:
        """Give the document; refuse several operations of which none is chosen."""
        execution = self.execution_context
        if execution.query:
            self.prepared = self.documents.kept(execution.query)
            document = self.prepared.document if self.prepared else None
            execution.graphql_document = document or self.documents.parse(execution.query)
            # `operation_name` falls back to the first operation; this is what the request named.
            named = execution._provided_operation_name is not None
            if not named and _operation_count(execution.graphql_document) > 1:
                raise CannotGetOperationTypeError(None)
        yield

    def on_validate(self) -> Iterator[None]:
        """Validate a document that is not known yet; withhold introspection where it is closed."""
        execution = self.execution_context
        document, schema = execution.graphql_document, execution.schema._schema
        errors: list[GraphQLError] = []
        if self.prepared is None and document is not None:
            try:
                self.prepared = self.documents.check(schema, execution.query or "", document)
            except InvalidDocument as invalid:
                errors = invalid.errors
        if self.prepared is not None and not self._opens_schema():
            errors = [_closed(node) for node in self.prepared.needs.introspections]
        execution.pre_execution_errors = errors
        if self.prepared is not None:
            self._tell_what_it_is()
        yield

    def on_execute(self) -> Iterator[None]:
        """Check that the caller may read every field of the operation."""
        self.check_access()
        yield

    def check_access(self) -> None:
        """Raise CodedError unless the caller may read every field of the operation, and signed it
        where that is asked for.
        """
        execution = self.execution_context
        context: RequestContext | None = execution.context
        assert self.prepared is not None, "a document is validated before it runs"
        for requirement in self.prepared.needs.requirements[execution.operation_name]:
            requirement.check(context.caller if context else None)
        if context is not None and self._lacks_signature(context):
            raise CodedError(FaultCode.SIGNATURE_MISSING, SIGNATURE_MISSING_MESSAGE)

    def _lacks_signature(self, context: RequestContext) -> bool:
        """Whether a partner would change something and has not signed the request."""
        caller = context.caller
        return (
            caller is not None
            and caller.kind is CallerKind.PARTNER
            and context.guard is not None
            and context.signed_by is None
            and self.execution_context.operation_type is StrawberryOperationType.MUTATION
        )

    def _tell_what_it_is(self) -> None:
        execution = self.execution_context
        context: RequestContext | None = execution.context
        if context is not None:
            context.operation.document = execution.query
            context.operation.name = execution.operation_name
            context.operation.kind = execution.operation_type.value

    def _opens_schema(self) -> bool:
        context: RequestContext | None = self.execution_context.context
        return context is None or context.opens_schema


def _weight(query: str, prepared: PreparedDocument) -> int:
    """What a document occupies, in tokens of about 500 bytes: its tree, or else its text.

    Comments, strings and white space may be long and are few tokens, or none.
    """
    return max(prepared.tokens, len(query) // CHARACTERS_PER_TOKEN)


def _coded(error: GraphQLError) -> GraphQLError:
    if isinstance(error, CodedError):
        return error
    code = FaultCode.GRAPHQL_VALIDATION_FAILED
    if blames_values(error):
        code = FaultCode.BAD_USER_INPUT
    return CodedError(code, error.message, nodes=error.nodes)


def _closed(node: FieldNode) -> GraphQLError:
    message = "Introspection needs a token on this server."
    return CodedError(FaultCode.INTROSPECTION_DISABLED, message, nodes=[node])


def _operation_count(document: DocumentNode) -> int:
    return sum(isinstance(one, OperationDefinitionNode) for one in document.definitions)


def _token_count(document: DocumentNode) -> int:
    """The tokens of the document, comments too: what the tree keeps in memory."""
    return sum(1 for _ in _tokens(document))


def _refuse_long_numbers(document: DocumentNode) -> None:
    for token in _tokens(document):
        is_number = token.kind in {TokenKind.INT, TokenKind.FLOAT}
        if is_number and len(token.value or "") > NUMBER_LENGTH_MAX:
            assert document.loc is not None, "the parser keeps locations"
            message = f"A number must not have more than {NUMBER_LENGTH_MAX} characters."
            raise GraphQLSyntaxError(document.loc.source, token.start, message)


def _tokens(document: DocumentNode) -> Iterator[Token]:
    token = document.loc.start_token if document.loc else None
    while token is not None:
        yield token
        token = token.next
