"""The rooms of docs/architecture.md: a folder or file imports only from those left of it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skdann

PACKAGE = Path(skdann.__file__).parent

# Left to right, as data walks. Beside each room stand the outside packages that it knows.
ROOMS = {
    "exceptions": set(),
    "_deprecation": set(),
    "_file_version": set(),
    "_callers": set(),
    "schedules": set(),
    "_hidden_warnings": set(),
    "_sklearn_compat": {"sklearn"},
    "_typing": {"numpy", "sklearn"},
    "_notebook": {"sklearn"},
    "_target_bound": {"numpy", "scipy", "sklearn"},
    "datasets": {"numpy", "scipy", "sklearn"},
    "metrics": {"numpy", "scipy", "sklearn"},
    "networks": {"torch"},
    "_torch": {"numpy", "torch"},
    "_data": {"numpy", "scipy", "sklearn", "torch"},
    "_network": {"numpy", "scipy", "torch"},
    "_training": {"numpy", "scipy", "sklearn", "torch", "skorch", "tqdm"},
    "_choosing": {"numpy", "scipy", "sklearn", "joblib"},
    "_serving": {"numpy", "torch"},
    "_prediction_mixin": {"numpy", "sklearn", "torch"},
    "_classifier": {"numpy", "sklearn", "torch"},
    "_classifier_cv": {"numpy", "scipy", "sklearn"},
    "_report": {"numpy", "scipy", "sklearn"},
    "model_selection": {"numpy", "sklearn"},
    "sources": {"numpy", "scipy", "sklearn"},
    "labelling": {"numpy", "sklearn", "threadpoolctl"},
    "pipeline": {"numpy", "sklearn"},
    "serving": {"numpy"},
    "estimator_checks": {"numpy", "sklearn", "torch"},
    "displays": {"numpy", "scipy", "sklearn", "matplotlib", "torch"},
    "__init__": set(),
}
OUTSIDE = {"numpy", "scipy", "sklearn", "torch", "skorch", "tqdm", "pandas", "joblib"}
OUTSIDE |= {"matplotlib", "threadpoolctl"}
LAZILY = {"pandas"}  # where the user's rows are frames of it
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path):
    """Return the folder or file below `skdann` that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """Return the full names of what a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "skdann":
            yield from (f"skdann.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module


def own(names):
    return {name.split(".")[1] for name in names if name.startswith("skdann.")}


def name_of(path):
    return str(path.relative_to(PACKAGE).with_suffix(""))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_imports_only_from_the_rooms_left_of_it(path):
    rooms = list(ROOMS)
    assert room_of(path) in rooms, f"{path} is in no room of the table"
    here = rooms.index(room_of(path))
    assert own(imported(path)) <= set(rooms[: here + 1])


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_room_knows_only_its_outside_packages(path):
    outside = {name.split(".")[0] for name in imported(path)} & OUTSIDE
    assert outside - LAZILY <= ROOMS[room_of(path)]


@pytest.mark.parametrize("room", [path for path in PACKAGE.iterdir() if path.is_dir()])
def test_files_of_a_folder_import_each_other_in_one_direction(room):
    files = {f"skdann.{room.name}.{path.stem}": path for path in room.glob("*.py")}
    waiting = {name: set(imported(path)) & files.keys() for name, path in files.items()}
    while waiting:
        free = {name for name, needs in waiting.items() if not needs & waiting.keys()}
        assert free, f"a circle among {sorted(waiting)}"
        waiting = {name: needs for name, needs in waiting.items() if name not in free}


def test_every_room_of_the_table_exists_and_one_knows_skorch():
    assert {room_of(path) for path in FILES} == set(ROOMS)
    assert [room for room, names in ROOMS.items() if "skorch" in names] == ["_training"]


def test_the_rooms_of_the_document_are_these():
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    rooms = [row.split("`")[1].strip("/").removesuffix(".py") for row in rows]
    assert rooms == [room for room in ROOMS if room != "__init__"]


# -- private names of other packages ---------------------------------------------------------

# Those of skl2onnx are needed where a Pipeline becomes an ONNX model, and nowhere else.
BORROWERS = {"_sklearn_compat", "_torch/compat", "serving"}
# Private by name, and documented: of named tuples, and of Python.
DOCUMENTED = {"_replace", "_getframe"}


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def own_names():
    """Return all names that the package gives to anything."""
    names = {"_row_shape"}  # set by `__dict__.update`
    for tree in (ast.parse(path.read_text()) for path in FILES):
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.id if isinstance(node, ast.Name) else node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                names.add(node.value)  # a key of what is set so
    return names


def borrowed(source, own):
    """Yield the private names of others that a file imports or reads."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("skdann"):
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            yield from filter(is_private, parts)
        elif isinstance(node, ast.Import):
            yield from filter(is_private, ".".join(one.name for one in node.names).split("."))
        elif isinstance(node, ast.Attribute):
            yield from filter(is_private, {node.attr} - own - DOCUMENTED)


def test_private_names_of_other_packages_are_borrowed_in_one_file_for_each():
    own = own_names()
    found = {name_of(path): [*borrowed(path.read_text(), own)] for path in FILES}
    assert {name for name, names in found.items() if names} == BORROWERS, found


@pytest.mark.parametrize(
    "line",
    [
        "from sklearn.utils import _safe_indexing",
        "from sklearn.utils._param_validation import Interval",
        "import sklearn.utils._tags",
        "torch._fused_adam_([])",
        "estimator._validate_params()",
    ],
)
def test_a_borrowed_name_is_seen(line):
    assert [*borrowed(line, {"_ours"})]
    assert not [
        *borrowed("from skdann._typing import Rows; self._ours; row._replace(a=1)", {"_ours"})
    ]


def test_a_scikit_learn_that_lacks_a_name_is_named():
    code = "import sklearn.utils as u; del u._safe_indexing; import skdann._sklearn_compat"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "is newer than this release of skdann" in done.stderr
