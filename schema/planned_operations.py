"""The operations that clients plan to send, and which of them the schema serves by now.

`schema/operations` keeps them word for word, by audience; `tests/operations` is the same folder.
The start page, GraphiQL and the tests read them from here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graphql import DocumentNode, GraphQLSchema, OperationDefinitionNode, parse, validate

FOLDER: Final = Path(__file__).parent / "operations"
INPUTS: Final = FOLDER / "inputs.graphql"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as a document of its own, as a client sends it."""

    name: str
    file: Path
    document: DocumentNode

    @property
    def text(self) -> str:
        """Its text, as a client that sends it alone cuts it out of its file."""
        location = self.definition.loc
        assert location is not None, "the parser keeps locations"
        return location.source.body[location.start : location.end]

    @property
    def definition(self) -> OperationDefinitionNode:
        """The operation in its document."""
        (definition,) = self.document.definitions
        assert isinstance(definition, OperationDefinitionNode), "read_operations saw to it"
        return definition

    @property
    def kind(self) -> str:
        """`query`, `mutation` or `subscription`."""
        return self.definition.operation.value

    @property
    def audience(self) -> str:
        """For whom it is: the folder it is in."""
        return self.file.parent.name

    def errors(self, schema: GraphQLSchema) -> list[str]:
        """Why the schema does not serve it; empty when it does."""
        return [error.message for error in validate(schema, self.document)]


def read_operations(folder: Path = FOLDER) -> dict[str, Operation]:
    """Every operation under the folder by its name, which is unique."""
    operations: dict[str, Operation] = {}
    for file in sorted(folder.rglob("*.graphql")):
        if file.name == INPUTS.name:
            continue
        for definition in parse(file.read_text()).definitions:
            assert isinstance(definition, OperationDefinitionNode), f"{file}: {definition.kind}"
            assert definition.name is not None, f"{file}: an operation without a name"
            name = definition.name.value
            assert name not in operations, f"{name} stands twice"
            document = DocumentNode(definitions=(definition,))
            operations[name] = Operation(name=name, file=file, document=document)
    return operations


def served_operations(schema: GraphQLSchema) -> tuple[Operation, ...]:
    """Those that the schema serves, in the order of their files."""
    return tuple(one for one in read_operations().values() if not one.errors(schema))
