"""The import contract "a context is entered by its front door", a contract type of import-linter.

`domain/<context>/__init__.py` is the front door. Whoever stands outside a context imports names
from the package, never from a module inside it: so a context's tables and statements stay its own.
"""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class FrontDoorContract(Contract):
    """Refuses direct imports of modules inside a child package from outside that package.

    Options: `container`, the package whose children have front doors; `exempt_importers`, packages
    that may pass (optional).
    """

    type_name = "front_door"

    # import-linter puts the parsed values in the place of these fields.
    container: Any = fields.StringField()
    exempt_importers: Any = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Walk the direct imports of each module inside a child of the container."""
        del verbose
        exempt = tuple(self.exempt_importers or ())
        intrusions = [
            (importer, inside)
            for context in sorted(graph.find_children(self.container))
            for inside in sorted(graph.find_descendants(context))
            for importer in sorted(graph.find_modules_that_directly_import(inside))
            if not _stands_in(importer, (context, *exempt))
        ]
        return ContractCheck(kept=not intrusions, metadata={"intrusions": intrusions})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Name each import that passed by the front door."""
        for importer, inside in check.metadata["intrusions"]:
            output.print_error(f"{importer} imports {inside}: use the front door.", bold=False)


def _stands_in(module: str, packages: tuple[str, ...]) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
