"""The docstrings of all public names: numpydoc's own validation, shapes, and the reference."""

import importlib
import inspect
import re
from functools import cache
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString
from numpydoc.validate import validate

import skdann

DOCS = Path(__file__).parents[1] / "docs"
MODULES = ["skdann", *(f"skdann.{name}" for name in skdann._SUBMODULES)]

# numpydoc's errors that are no errors here.
EVERYWHERE = {
    "ES01": "a summary that says it all needs no second paragraph",
    "RT02": "scikit-learn's form: the value that is returned has a name, which says what it is",
}
IN_METHODS = {
    "EX01": "the example of the class shows how its methods are called",
    "SA01": "the page of the class lists all its methods",
}
MADE_BY_US = "made by the package, never by the user: its fields are listed as attributes"
RARE = "it takes a fit that goes wrong to see one; the message says what to do"
OBJECTS = {
    ("skdann.AdaptationReport", "PR01"): MADE_BY_US,
    ("skdann.metrics.WeightedScore", "PR01"): MADE_BY_US,
    ("skdann.AdaptationReport", "EX01"): "the example of adaptation_report makes one",
    ("skdann.exceptions.CheckpointWarning", "EX01"): RARE,
    ("skdann.exceptions.DomainWarning", "EX01"): RARE,
    ("skdann.exceptions.OneClassWarning", "EX01"): RARE,
}

ARRAY = re.compile(r"array|matrix|frame|tensor|series|\bas\b|\bsame\b|\bsuch\b", re.IGNORECASE)


def is_ours(member):
    function = next(
        (getattr(member, name) for name in ("fget", "__func__", "fn") if hasattr(member, name)),
        member,
    )
    return getattr(function, "__module__", "").startswith("skdann")


def members(cls):
    """Yield the names of the public methods and properties that a class has from this package."""
    for name in dir(cls):
        member = inspect.getattr_static(cls, name)
        documented = callable(getattr(cls, name, None)) or isinstance(member, property)
        # set_fit_request and the like are scikit-learn's.
        if not name.startswith("_") and documented and is_ours(member):
            yield name


@cache
def homes():
    """Return each public name's module; of the two of a warning the one that it is defined in."""
    return {one: module for module in MODULES for one in importlib.import_module(module).__all__}


@cache
def public_objects():
    """Return the full names of all that is public, and whether each is an object or a method."""
    found = {}
    for name, module in homes().items():
        value = getattr(importlib.import_module(module), name)
        if inspect.isclass(value) or inspect.isfunction(value):
            found[f"{module}.{name}"] = "object"
        if inspect.isclass(value):
            found.update({f"{module}.{name}.{one}": "method" for one in members(value)})
    return found


def errors_of(name):
    ledger = EVERYWHERE | (IN_METHODS if public_objects()[name] == "method" else {})
    for code, message in validate(name)["errors"]:
        if code not in ledger and (name, code) not in OBJECTS:
            yield f"{code} {message}"


def test_numpydoc_finds_no_error_but_those_in_the_ledger():
    errors = {name: list(errors_of(name)) for name in public_objects()}
    assert not {name: found for name, found in errors.items() if found}


def test_every_entry_of_the_ledger_is_needed():
    needed = {(name, code) for name in public_objects() for code, _ in validate(name)["errors"]}
    assert set(OBJECTS) <= needed
    assert (EVERYWHERE.keys() | IN_METHODS.keys()) <= {code for _, code in needed}


def fields(docstring):
    """Yield name and type of all parameters, returned values and attributes of a docstring."""
    parsed = NumpyDocString(docstring)
    for section in ("Parameters", "Returns", "Yields", "Attributes"):
        for field in parsed[section]:
            yield field.name, field.type


def docstring_of(name):
    module = max((one for one in MODULES if name.startswith(one)), key=len)
    value = importlib.import_module(module)
    for part in name.removeprefix(module).split(".")[1:]:
        value = getattr(value, part)
    return inspect.getdoc(value)


@pytest.mark.parametrize("name", public_objects())
def test_every_array_has_a_shape_and_its_own_words(name):
    without = [
        f"{field} : {kind}"
        for field, kind in fields(docstring_of(name))
        if ARRAY.search(kind) and "of shape (" not in kind and "of shape `" not in kind
    ]
    assert not without


def pages_of_the_reference():
    """Return the full names that docs/api/index.md lists."""
    names, module = [], None
    for line in (DOCS / "api" / "index.md").read_text().splitlines():
        if current := re.fullmatch(r"\.\. currentmodule:: (\S+)", line):
            module = current[1]
        elif entry := re.fullmatch(r"   ([A-Za-z_0-9]+)", line):
            names.append(f"{module}.{entry[1]}")
    return names


def test_the_reference_lists_every_public_name_once():
    listed = pages_of_the_reference()
    assert len(listed) == len(set(listed))
    assert set(listed) == {f"{module}.{name}" for name, module in homes().items()}
