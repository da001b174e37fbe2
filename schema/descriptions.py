"""Descriptions from docstrings: Strawberry takes none, so they are read from the source.

A class, an enum or a resolver has its docstring; an attribute or an enum value has the string
literal that follows it. The source of a module is parsed once.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


def class_description(cls: type[Any]) -> str | None:
    """The class's own docstring, dedented. Ask before a decorator makes it a dataclass."""
    own = cls.__dict__.get("__doc__")
    return inspect.cleandoc(own) if own else None


def function_description(function: object) -> str | None:
    """The function's own docstring, dedented."""
    own = getattr(function, "__doc__", None)
    return inspect.cleandoc(own) if own else None


def attribute_descriptions(cls: type[Any]) -> Mapping[str, str]:
    """The string literal after each attribute of the class body, by attribute name."""
    source = getattr(sys.modules.get(cls.__module__), "__file__", None)
    if source is None:
        return {}
    return _documented_attributes(source).get(cls.__qualname__, {})


@cache
def _documented_attributes(source: str) -> Mapping[str, Mapping[str, str]]:
    """Every class of the file by qualified name, with its documented attributes."""
    found: dict[str, Mapping[str, str]] = {}
    pending: list[tuple[str, ast.AST]] = [("", ast.parse(Path(source).read_text("utf-8")))]
    while pending:
        prefix, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                found[prefix + child.name] = _documented(child)
                pending.append((f"{prefix}{child.name}.", child))
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                pending.append((f"{prefix}{child.name}.<locals>.", child))
            elif isinstance(child, ast.stmt):
                pending.append((prefix, child))
    return found


def _documented(cls: ast.ClassDef) -> dict[str, str]:
    described: dict[str, str] = {}
    for statement, follower in zip(cls.body, cls.body[1:], strict=False):
        name = _assigned_name(statement)
        if name and isinstance(follower, ast.Expr) and isinstance(follower.value, ast.Constant):
            text = follower.value.value
            if isinstance(text, str):
                described[name] = inspect.cleandoc(text)
    return described


def _assigned_name(statement: ast.stmt) -> str | None:
    if isinstance(statement, ast.AnnAssign):
        target: ast.expr = statement.target
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None
