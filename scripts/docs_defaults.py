"""Show a parameter's default as a value if the code uses a constant. griffe calls this for ``make docs``."""

from __future__ import annotations

from typing import Any

import griffe


class Defaults(griffe.Extension):  # type: ignore[misc]  # not installed where types are checked
    """Replace the names of constants with their values, after the whole package was read."""

    def on_package(self, *, pkg: griffe.Module, **kwargs: Any) -> None:
        """Replace the defaults in every parameter of every function."""
        for function in _functions(pkg):
            for parameter in function.parameters:
                if isinstance(parameter.default, griffe.ExprName):
                    try:
                        constant = pkg.modules_collection[parameter.default.canonical_path]
                    except KeyError:
                        continue
                    # A function can be a default too: it is documented by its name.
                    if isinstance(constant, griffe.Attribute):
                        parameter.default = constant.value


def _functions(thing: griffe.Module | griffe.Class) -> list[griffe.Function]:
    found = []
    for member in thing.members.values():
        if isinstance(member, griffe.Function):
            found.append(member)
        elif isinstance(member, (griffe.Module, griffe.Class)):
            found += _functions(member)
    return found
