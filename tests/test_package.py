"""What is uploaded in a release: files, metadata, and what other files say about them."""

import email
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pathspec
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import skdann

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RECIPE = yaml.safe_load((ROOT / "conda/recipe.yaml").read_text())
REPOSITORY = "https://github.com/skdann/skdann/blob/main/"
PICTURES = "https://raw.githubusercontent.com/skdann/skdann/main/"

# What must never be in a release, even where git is not there to tell.
LITTER = [
    ".venv/bin/python",
    "build/lib/skdann/old.py",
    "dist/skdann-0.0.1.tar.gz",
    "docs/_build/html/index.html",
    "docs/auto_examples/plot_moons.py",
    "skdann/__pycache__/datasets.cpython-311.pyc",
]


IGNORED = pathspec.GitIgnoreSpec.from_lines((ROOT / ".gitignore").read_text().splitlines())


def own_files(folder):
    """Yield the files of the checkout that git does not ignore."""
    for path in folder.iterdir():
        name = str(path.relative_to(ROOT))
        if name == ".git" or IGNORED.match_file(f"{name}/" if path.is_dir() else name):
            continue
        if path.is_dir():
            yield from own_files(path)
        else:
            yield path


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The checkout's own files, and the names and contents of the sdist and the wheel of a copy."""
    copy, dist = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("dist")
    own = {str(path.relative_to(ROOT)) for path in own_files(ROOT)} - {"PKG-INFO"}
    for file in own:
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, copy / file)
    for file in LITTER:
        (copy / file).parent.mkdir(parents=True, exist_ok=True)
        (copy / file).touch()
    build = [sys.executable, "-m", "hatchling", "build", "-d", dist]
    subprocess.run(build, cwd=copy, check=True, capture_output=True)
    (sdist,), (wheel,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {name: archive.read(name).decode() for name in archive.namelist()}
    return own, in_sdist, in_wheel


def test_the_sdist_has_every_file_of_the_checkout_and_no_litter(release):
    own, in_sdist, _ = release
    assert in_sdist == own | {"PKG-INFO"}
    assert {"constraints.txt", "tests/conftest.py", "docs/architecture.md"} <= own


def test_the_wheel_has_the_package_alone_with_its_types(release):
    own, _, in_wheel = release
    files = {name for name in in_wheel if ".dist-info/" not in name}
    assert files == {name for name in own if name.startswith("skdann/")}
    assert "skdann/py.typed" in files


@pytest.fixture(scope="module")
def metadata(release):
    (text,) = (text for name, text in release[2].items() if name.endswith(".dist-info/METADATA"))
    return email.message_from_string(text)


def test_links_of_the_readme_lead_out_of_the_package(metadata):
    shown, readme = metadata.get_payload(), (ROOT / "README.md").read_text()
    targets = re.findall(r"\]\(([^)#]+)|(?:src|srcset)=\"([^\"]+)", shown)
    targets = [link or picture for link, picture in targets]
    assert targets and all(target.startswith("https://") for target in targets)
    for target in targets:
        for home in (REPOSITORY, PICTURES):
            assert not target.startswith(home) or (ROOT / target.removeprefix(home)).is_file()
    for picture in re.findall(r"!\[[^\]]*\]\(([^)]+)", shown):
        assert not picture.startswith(REPOSITORY)  # that is a page about the picture
    assert shown.replace(REPOSITORY, "").replace(PICTURES, "") == readme


def test_the_metadata_say_what_an_index_shows(metadata):
    assert metadata["Version"] == skdann.__version__
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert len(metadata.get_all("Project-URL")) == len(PROJECT["project"]["urls"]) >= 4
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert {"plots", "docs", "dev"} <= set(metadata.get_all("Provides-Extra"))


def test_versions_agree():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == skdann.__version__
    assert RECIPE["context"]["version"] == Version(skdann.__version__).base_version


def requirements(lines, **renamed):
    """Return versions by canonical name; `renamed` maps names to those of conda."""
    found = {}
    for line in lines:
        requirement = Requirement(line)
        name = canonicalize_name(requirement.name)
        found[renamed.get(name, name)] = str(requirement.specifier)
    return found


def test_the_conda_recipe_requires_what_the_package_does():
    parts = RECIPE["requirements"]
    run = requirements(line for line in parts["run"] if not line.startswith("python "))
    assert run == requirements(PROJECT["project"]["dependencies"], torch="pytorch")
    host = requirements(line for line in parts["host"] if not line.startswith(("python ", "pip")))
    assert host == requirements(PROJECT["build-system"]["requires"])
    assert PROJECT["project"]["requires-python"] == f">={RECIPE['context']['python_min']}"


def test_the_conda_recipe_imports_every_public_module():
    imports = RECIPE["tests"][0]["python"]["imports"]
    assert imports == ["skdann", *(f"skdann.{name}" for name in skdann._SUBMODULES)]


def test_everything_that_is_installed_by_name_is_pinned():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = requirements(line for line in lines if not line.startswith("#"))
    extras = PROJECT["project"]["optional-dependencies"]
    wanted = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
    for extra in set(extras) - {"benchmarks"}:  # data that only one benchmark needs
        wanted += extras[extra]
    missing = requirements(wanted).keys() - pins.keys() - {"skdann"}
    assert not missing, f"constraints.txt has no version of {sorted(missing)}"


@pytest.mark.parametrize("name", ["bug", "feature", "question"])
def test_issue_templates_are_forms(name):
    form = yaml.safe_load((ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text())
    assert form["name"] and form["description"]
    fields = [field for field in form["body"] if field["type"] == "textarea"]
    assert fields and all(field["id"] and field["attributes"]["label"] for field in fields)
