"""The package's names: all there, and torch is loaded by those alone that need it."""

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import skdann

LAZY_NAMES = [
    "AdaptationReport",
    "DANNClassifier",
    "DANNClassifierCV",
    "TargetBound",
    "adaptation_report",
]


def run(code):
    """Run code in a process that has imported nothing of ours."""
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(skdann.__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


WITHOUT_TORCH = ["datasets", "displays", "exceptions", "metrics", "model_selection", "schedules"]


def test_modules_without_torch_are_imported_without_it():
    imports = ", ".join(f"skdann.{name}" for name in WITHOUT_TORCH)
    run(f"import sys, {imports}; assert not {{'torch', 'skorch'}} & set(sys.modules)")


def test_displays_are_imported_without_matplotlib():
    run("import sys, skdann.displays; assert 'matplotlib' not in sys.modules")


def test_names_are_imported_on_first_use_and_all_by_a_star():
    run(
        "import sys, skdann; assert 'torch' not in sys.modules\n"
        "assert 'DANNClassifier' in dir(skdann) and 'metrics' in dir(skdann)\n"
        "assert skdann.metrics.info_max and 'torch' not in sys.modules\n"
        "assert skdann.DANNClassifier().lr > 0 and 'torch' in sys.modules\n"
        "assert 'DANNClassifier' in vars(skdann)\n"
        "from skdann import *\n"
        "missing = set(skdann.__all__) - set(globals()); assert not missing, missing"
    )


def test_a_pickle_is_read_where_nothing_was_imported():
    pickled = pickle.dumps(skdann.DANNClassifier(lr=0.5))
    run(f"import pickle; assert pickle.loads({pickled!r}).lr == 0.5")


def test_every_name_is_found_where_type_checkers_find_it():
    for name in LAZY_NAMES:
        assert getattr(skdann, name).__name__ == name
    assert sorted(LAZY_NAMES) == sorted(skdann._MODULE_OF)
    assert sorted(skdann.__all__) == skdann.__all__
    (typed,) = (
        node
        for node in ast.parse(Path(skdann.__file__).read_text()).body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    found = {alias.name: line.module for line in typed.body for alias in line.names}
    assert found == skdann._MODULE_OF | dict.fromkeys(skdann._SUBMODULES, "skdann")


def test_every_public_module_is_a_submodule():
    folder = Path(skdann.__file__).parent
    public = [
        path.stem
        for path in folder.iterdir()
        if not path.name.startswith(("_", ".")) and path.name != "py.typed"
    ]
    assert sorted(public) == list(skdann._SUBMODULES)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'skdann' has no attribute 'DANN'"):
        _ = skdann.DANN
    with pytest.raises(ImportError, match="cannot import name 'DANN'"):
        from skdann import DANN  # noqa: F401


def test_the_version_is_a_literal():
    """The build reads it from the source, without running the module."""
    tree = ast.parse(Path(skdann.__file__).read_text())
    values = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__version__"
    ]
    assert [ast.literal_eval(value) for value in values] == [skdann.__version__]
