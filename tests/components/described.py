"""What a component's input types say about their fields."""

import ast
import inspect
from typing import Any


def fields(module: Any, group: str) -> dict[str, str]:
    """Field → its docstring, as written in the source."""
    tree = ast.parse(inspect.getsource(module))
    [found] = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == group]
    fields: dict[str, str] = {}
    for before, after in zip(found.body, [*found.body[1:], ast.Pass()], strict=True):
        if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
            text = after.value if isinstance(after, ast.Expr) else None
            told = text.value if isinstance(text, ast.Constant) else ""
            fields[before.target.id] = " ".join(str(told).split())
    return fields
