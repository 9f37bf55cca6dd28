"""The rooms of docs/architecture.md: who may import whom."""

import ast
from pathlib import Path

import pytest

import skdann

PACKAGE = Path(skdann.__file__).parent
EXTERNAL = {"numpy", "scipy", "sklearn", "torch", "skorch", "tqdm"}

MAY_IMPORT = {
    "_labels": {"numpy", "sklearn"},
    "_inputs": {"numpy", "scipy", "sklearn", "_labels"},
    "_randomness": {"numpy", "torch"},
    "_devices": {"torch"},
    "_batches": {"numpy", "scipy", "torch", "_inputs"},
    "_reversal": {"torch"},
    "_scaling": {"numpy", "scipy", "torch", "_inputs", "_batches"},
    "_conditioning": {"torch"},
    "_network": {"torch", "_conditioning", "_randomness", "_reversal", "_scaling"},
    "_schedules": set(),
    "_losses": {"torch"},
    "_class_shares": {"numpy", "scipy", "torch", "_inputs", "_batches", "_losses"},
    "_optimizers": {"torch"},
    "_objective": {"torch", "_randomness", "_batches", "_network", "_losses"},
    "_stacked": {
        "torch", "_randomness", "_batches", "_conditioning", "_network", "_losses", "_objective",
    },
    "_record": {"numpy", "torch", "_batches", "_losses", "_objective"},
    "_callbacks": {"skorch", "tqdm"},
    "_training": {
        "numpy", "torch", "skorch", "_inputs", "_randomness", "_devices", "_batches", "_network",
        "_scaling", "_schedules", "_losses", "_class_shares", "_optimizers", "_objective",
        "_stacked", "_record", "_callbacks",
    },
    "_fitting": {
        "numpy", "sklearn", "_randomness", "_devices", "_batches", "_scaling", "_network",
        "_schedules", "_class_shares", "_optimizers", "_training",
    },
    "_selection": {"numpy", "scipy"},
    "_pool": {"numpy", "sklearn", "_batches", "_fitting"},
    "_choosing": {
        "numpy", "sklearn", "_batches", "_scaling", "_fitting", "_selection",
        "_pool",
    },
    "_predicting": {"sklearn"},
    "_classifier": {
        "numpy", "sklearn", "torch", "_inputs", "_randomness", "_devices", "_batches",
        "_conditioning", "_scaling", "_network", "_training", "_fitting", "_choosing",
        "_predicting",
    },
    "_distances": {"numpy", "scipy", "sklearn"},
    "_importance": {"numpy", "sklearn", "_distances"},
    "_target_scores": {"numpy", "scipy", "sklearn", "_distances"},
    "_label_shift": {"numpy", "sklearn", "_class_shares", "_target_scores"},
    "_classifier_cv": {
        "numpy", "sklearn", "_inputs", "_randomness", "_scaling", "_fitting", "_selection",
        "_choosing", "_predicting", "_classifier",
    },
    "_target_scorer": {"numpy", "scipy", "sklearn"},
    "_scorers": {
        "numpy", "_distances", "_importance", "_target_scores", "_label_shift", "_target_scorer",
    },
    "_reverse_validation": {"numpy", "sklearn", "_pool", "_classifier", "_target_scorer"},
    "metrics": {
        "_distances", "_importance", "_target_scores", "_label_shift", "_target_scorer",
        "_scorers", "_reverse_validation",
    },
    "_verdicts": {"numpy"},
    "_report": {
        "numpy", "scipy", "sklearn", "_classifier", "_distances", "_importance", "_label_shift",
        "_target_scorer", "_reverse_validation", "_verdicts",
    },
    "model_selection": {"numpy", "sklearn", "_selection", "metrics"},
    "pipeline": {"sklearn", "_classifier", "model_selection"},
    "datasets": {"numpy", "scipy", "sklearn"},
    "estimator_checks": {"numpy", "sklearn", "torch", "_inputs", "datasets"},
    "__init__": {"_classifier", "_classifier_cv", "_inputs", "_report"},
}  # fmt: skip


def imported(path):
    """Return the names of rooms and outside packages that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module]
        else:
            continue
        for name in names:
            top, _, room = name.partition(".")
            if top == "skdann":
                yield room.split(".")[0]
            elif top in EXTERNAL:
                yield top


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_a_room_imports_only_what_the_table_allows(path):
    assert path.stem in MAY_IMPORT, f"{path.name} is not in the table of rooms"
    assert set(imported(path)) <= MAY_IMPORT[path.stem]


def test_every_room_of_the_table_exists_and_two_know_skorch():
    assert {path.stem for path in PACKAGE.glob("*.py")} == set(MAY_IMPORT)
    assert [room for room, names in MAY_IMPORT.items() if "skorch" in names] == [
        "_callbacks",
        "_training",
    ]
