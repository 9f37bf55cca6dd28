"""What comes with the package: licences, bounds with reasons, no network, no foreign pickles."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import skdann

PACKAGE = Path(skdann.__file__).parent
ROOT = PACKAGE.parent
PROJECT = (ROOT / "pyproject.toml").read_text()
REQUIRED = [Requirement(line) for line in tomllib.loads(PROJECT)["project"]["dependencies"]]
ENVIRONMENTS = tomllib.loads((ROOT / "tests/versions/environments.toml").read_text())

# -- licences --------------------------------------------------------------------------------

# They ask no more than that their text is passed on, and leave alone what uses them.
ALLOWED = {
    *("0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD", "BSD License"),
    *("BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT License"),
    *("MPL-2.0", "PSF-2.0", "Python Software Foundation License", "Zlib", "3-Clause BSD"),
    *("Apache Software License", "Apache License 2.0", "MIT-CMU", "Unlicense", "BSD 3-Clause"),
}
# What torch's builds for CUDA bring: no part of the package, and chosen by who installs them.
OF_HARDWARE = re.compile(r"nvidia-|cuda-|triton")


def licences_of(metadata):
    """Return the licences that a package names, the parts of an expression one by one."""
    text = metadata.get("License-Expression") or ""
    classified = [
        line.rpartition(" :: ")[2]
        for line in metadata.get_all("Classifier") or []
        if line.startswith("License :: ") and line != "License :: OSI Approved"
    ]
    if not text and not classified:
        text = (metadata.get("License") or "").strip().partition("\n")[0]
    return {part.strip("() ") for part in re.split(r" AND | OR ", text) if part} | set(classified)


def installed(name, found):
    """Add to `found` the metadata of a package and of all that it requires, as far as installed."""
    try:
        package = distribution(name)
    except PackageNotFoundError:
        return found
    if name.lower() not in found and not OF_HARDWARE.match(name):
        found[name.lower()] = package.metadata
        for requirement in map(Requirement, package.requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                installed(requirement.name, found)
    return found


def test_what_is_required_has_licences_that_are_allowed():
    found = {}
    for requirement in REQUIRED:
        installed(requirement.name, found)
    assert {"numpy", "torch", "sympy"} <= found.keys()
    named = {name: licences_of(metadata) for name, metadata in found.items()}
    assert not {name: ours for name, ours in named.items() if not ours or ours - ALLOWED}


# -- bounds ----------------------------------------------------------------------------------


def test_the_oldest_environment_has_each_lower_bound():
    pinned = dict(line.split("==") for line in ENVIRONMENTS["oldest"]["packages"])
    for requirement in REQUIRED:
        (bound,) = [one for one in requirement.specifier if one.operator == ">="]
        assert f"{pinned[requirement.name]}.".startswith(f"{bound.version}."), requirement


def test_the_oldest_environment_has_the_oldest_python():
    oldest = ENVIRONMENTS["oldest"]["python"]
    assert tomllib.loads(PROJECT)["project"]["requires-python"] == f">={oldest}"


def test_each_bound_has_its_reason():
    lines = PROJECT.split("dependencies = [\n", 1)[1].split("\n]", 1)[0].splitlines()
    for requirement in REQUIRED:
        (line,) = [line for line in lines if line.strip().startswith(f'"{requirement}"')]
        assert len(line.partition("#")[2]) > 5, requirement


# -- no network ------------------------------------------------------------------------------

OFFLINE = """
import socket, sys

def refused(*args, **kwargs):
    raise AssertionError(f"a connection is opened: {args}")

for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refused)
for name in ("getaddrinfo", "gethostbyname", "create_connection"):
    setattr(socket, name, refused)

import skdann
import skdann.datasets, skdann.displays, skdann.metrics, skdann.model_selection, skdann.pipeline
from skdann import DANNClassifier, adaptation_report

made = [getattr(skdann.datasets, name)(random_state=0) for name in skdann.datasets.__all__]
X, y, X_tgt, _ = skdann.datasets.make_rotated_moons(n_samples=60, random_state=0)
clf = DANNClassifier(max_epochs=2, random_state=0).fit(X, y, X_tgt=X_tgt)
clf.predict(X_tgt), skdann.metrics.proxy_a_distance(X, X_tgt, random_state=0), repr(clf)
clf._repr_html_()
assert made, "no data set was made"
"""


def run(code):
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_neither_an_import_nor_a_data_set_nor_a_fit_opens_a_connection():
    done = run(OFFLINE)
    assert done.returncode == 0, done.stderr


def test_a_connection_would_be_seen():
    done = run(
        OFFLINE.partition("import skdann\n")[0]
        + "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9/')"
    )
    assert "a connection is opened" in done.stderr


# -- no foreign pickles ----------------------------------------------------------------------

# Calls that run what a file says. With the argument beside it a call runs nothing.
RUNS_CODE = {
    "torch.load": "weights_only=True",
    "pickle.load": None,
    "pickle.loads": None,
    "pickle.Unpickler": None,
    "cloudpickle.load": None,
    "cloudpickle.loads": None,
    "joblib.load": None,
    "yaml.load": None,
    "yaml.unsafe_load": None,
    "marshal.loads": None,
    "shelve.open": None,
    "pandas.read_pickle": None,
    "np.load": "allow_pickle=False",
    "numpy.load": "allow_pickle=False",
    "skops.io.load": None,
    "eval": None,
    "exec": None,
}


# Where such a call reads what this process has written, or what its user has declared trusted.
TRUSTED = {
    "checkpoints": "only files of a fit with a custom module, from a folder that the user names",
    "estimator_checks": "a pickle that the line itself makes",
    "plain_networks": "custom modules inside a pickle, which has run code by then",
}


def dangerous(source):
    """Yield the calls in a file that run what another file says."""
    tree = ast.parse(source)
    homes = {  # names that stand for others
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        safe = RUNS_CODE.get(homes.get(name, name), "")
        given = [f"{one.arg}={ast.unparse(one.value)}" for one in node.keywords]
        if safe != "" and safe not in given:
            yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.stem)
def test_no_file_is_loaded_that_could_run_code(path):
    assert bool(list(dangerous(path.read_text()))) == (path.stem in TRUSTED)


@pytest.mark.parametrize(
    ("source", "is_seen"),
    [
        ("import torch; torch.load(f)", True),
        ("import torch; torch.load(f, weights_only=False)", True),
        ("import torch; torch.load(f, weights_only=True)", False),
        ("from pickle import loads; loads(b)", True),
        ("import pickle; pickle.dumps(b)", False),
        ("np.load(f, allow_pickle=True)", True),
        ("model.eval()", False),
    ],
)
def test_what_counts_as_dangerous(source, is_seen):
    assert bool(list(dangerous(source))) == is_seen
