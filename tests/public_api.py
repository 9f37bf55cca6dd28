"""Every public name with its parameters and defaults, one a line: what `public_api.txt` holds.

``python tests/public_api.py`` writes the file (`make api`). CONTRIBUTING.md says which differences
a release may have.
"""

import importlib
import inspect
from pathlib import Path

from numpydoc.docscrape import NumpyDocString

import skdann

FILE = Path(__file__).parent / "public_api.txt"
MODULES = ["skdann", *(f"skdann.{name}" for name in skdann._SUBMODULES)]


def lines():
    """Yield the lines of the file."""
    for module in MODULES:
        home = importlib.import_module(module)
        for name in sorted(home.__all__):
            yield from _lines_of(f"{module}.{name}", getattr(home, name))


def _lines_of(name, value):
    if inspect.isclass(value):
        yield from _lines_of_class(name, value)
    elif callable(value):
        yield f"{name}{_parameters(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _lines_of_class(name, cls):
    bases = ", ".join(base.__name__ for base in cls.__mro__[1:-1] if _is_public(base))
    made = "(...)" if issubclass(cls, Warning) else _parameters(cls)
    yield f"class {name}{made}" + (f" is {bases}" if bases else "")
    for attribute in NumpyDocString(inspect.getdoc(cls) or "")["Attributes"]:
        for one in attribute.name.split(", "):
            yield f"{name}.{one} is an attribute"
    for member in sorted(dir(cls)):
        static = inspect.getattr_static(cls, member)
        if member.startswith("_") or not _is_ours(static):
            continue
        if isinstance(static, property):
            yield f"{name}.{member} is a property"
        elif callable(getattr(cls, member, None)):
            yield f"{name}.{member}{_parameters(getattr(cls, member))}"


def _is_public(base):
    """Tell whether users may rely on a base: ours and scikit-learn's, if public, or UserWarning."""
    if base.__module__ == "builtins":
        return base in (UserWarning, tuple)
    return "._" not in f"{base.__module__}.{base.__name__}"


def _is_ours(member):
    function = next(
        (getattr(member, name) for name in ("fget", "__func__", "fn") if hasattr(member, name)),
        member,
    )
    return getattr(function, "__module__", "").startswith("skdann")


def _parameters(function):
    """Return the parameters in parentheses, with defaults and without types."""
    signature = inspect.signature(function)
    plain = [
        parameter.replace(annotation=parameter.empty, default=_default(parameter))
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(plain))


class _Named:
    """A default that is written as its name: functions, classes and sentinels have no repr."""

    def __init__(self, name):
        self._name = name

    def __repr__(self):
        return self._name


def _default(parameter):
    value = parameter.default
    if value is parameter.empty or value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (tuple, list, dict)) and " at 0x" not in repr(value):
        return value
    return _Named(getattr(value, "__name__", type(value).__name__))


if __name__ == "__main__":
    FILE.write_text("".join(f"{line}\n" for line in lines()))
