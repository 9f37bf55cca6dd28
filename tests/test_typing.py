"""The types of public signatures: complete, resolvable, and what the checks in `fit` allow.

`make types` checks that programs which use them are accepted or refused, in tests/typed_programs.
"""

import importlib
import inspect
import typing

import pytest
from typed_programs import accepted

import skdann
from skdann import DANNClassifier, DANNClassifierCV
from skdann._sklearn_compat import StrOptions

# The displays state types in their docstrings only.
MODULES = ["skdann", *(f"skdann.{name}" for name in skdann._SUBMODULES if name != "displays")]


def public_functions():
    """Yield all public functions of this package, and public methods of its public classes."""
    for module in map(importlib.import_module, MODULES):
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isfunction(value):
                yield f"{module.__name__}.{name}", value
            elif inspect.isclass(value):
                yield from methods(value)


def methods(cls):
    for name in dir(cls):
        if name.startswith("_") and name not in ("__init__", "__call__"):
            continue
        member = inspect.getattr_static(cls, name)
        for inside in ("fget", "__func__", "fn"):  # of properties, class methods, available_if
            member = getattr(member, inside, member)
        code = getattr(member, "__code__", None)
        # Not what is inherited, nor what a dataclass or scikit-learn has made.
        if code and member.__module__.startswith("skdann") and code.co_filename != "<string>":
            yield f"{cls.__module__}.{cls.__name__}.{name}", member


FUNCTIONS = dict(public_functions())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_signature_has_types(name):
    function = inspect.unwrap(FUNCTIONS[name])
    signature = inspect.signature(function)
    untyped = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty and parameter.name not in ("self", "cls")
    ]
    assert not untyped and signature.return_annotation is not signature.empty
    typing.get_type_hints(function)  # names in it exist


def test_public_functions_are_found():
    assert {
        "skdann._classifier.DANNClassifier.fit",
        "skdann._classifier.DANNClassifier.predict_domain_proba",
        "skdann.metrics.info_max",
        "skdann.metrics._scorers.CoralScorer.__call__",
        "skdann.pipeline.make_dann_pipeline",
    } <= FUNCTIONS.keys()


def strings_in(annotation):
    """Return the strings that an annotation allows, on its own and not within sequences."""
    if typing.get_origin(annotation) is typing.Literal:
        return {one for one in typing.get_args(annotation) if isinstance(one, str)}
    parts = typing.get_args(annotation) if is_union(annotation) else ()
    return set().union(*map(strings_in, parts))


def is_union(annotation):
    return isinstance(annotation, typing.types.UnionType) or (
        typing.get_origin(annotation) is typing.Union
    )


@pytest.mark.parametrize("cls", [DANNClassifier, DANNClassifierCV])
def test_types_allow_the_strings_that_the_check_of_parameters_allows(cls):
    hints = typing.get_type_hints(cls.__init__)
    for name, constraints in cls._parameter_constraints.items():
        checked = set().union(*(one.options for one in constraints if isinstance(one, StrOptions)))
        assert strings_in(hints[name]) == checked, name


def test_the_accepted_program_runs():
    accepted.main()
