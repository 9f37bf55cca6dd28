"""Run the tests in environments made for it: ``python run_in_environments.py [NAME ...]``.

Each environment of `environments.toml` is made in a folder that is removed again, and one line of
docs/results/versions.md is printed for it. An environment whose Python is not on this machine is
left out, and says so. A torch for CUDA takes some gigabytes; where you have a folder or an index
with builds for the CPU, tell pip by its own variables.
"""

import argparse
import datetime
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
ENVIRONMENTS = tomllib.loads((HERE / "environments.toml").read_text())

# What a row of the table names.
NAMED = ["scikit-learn", "torch", "skorch", "numpy", "scipy", "pandas", "joblib", "tqdm"]

VERSIONS = f"""
from importlib.metadata import version
print(*(f"{{name}} {{version(name)}}" for name in {NAMED}), sep=", ")
"""


def python_at_hand(version):
    """Return a Python of this version, such as "3.12", or None; one that pyenv has will do."""
    found = shutil.which(f"python{version}")
    ready = found and subprocess.run([found, "--version"], capture_output=True, check=False)
    if ready and ready.returncode == 0:
        return found
    installed = pathlib.Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    return next(map(str, sorted(installed)), None)


def made(name, folder):
    """Make the environment, and return its Python."""
    wanted = ENVIRONMENTS[name]
    subprocess.run([python_at_hand(wanted["python"]), "-m", "venv", folder], check=True)
    python = str(folder / "bin" / "python")
    pip = [python, "-m", "pip", "install", "-q", *wanted["packages"], "-e", f"{ROOT}[tests]"]
    subprocess.run(pip, check=True)
    return python


def row(name, python, tests):
    """Run the tests, and return whether they passed, and a row of the table."""
    ignored = [f"-W{one}" for one in ENVIRONMENTS[name].get("ignored_warnings", [])]
    command = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *ignored, *tests]
    lines = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout:
            print(line, end="", flush=True)
            lines.append(line.strip())
    versions = subprocess.check_output([python, "-c", VERSIONS], text=True).strip()
    result = re.sub(r"\x1b\[\d+m|=+| in [\d.]+s.*", "", lines[-1]).strip()
    today = datetime.date.today().isoformat()
    of = ENVIRONMENTS[name]["python"]
    return run.returncode == 0, f"| {name} | {of} | {versions} | {result} | {today} |"


def main():
    """Make the environments one after the other, and print their rows at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "names", nargs="*", help=f"some of {', '.join(ENVIRONMENTS)}; all by default"
    )
    parser.add_argument("--tests", nargs="*", default=[], help="what pytest is called with")
    options = parser.parse_args()
    unknown = set(options.names) - set(ENVIRONMENTS)
    if unknown:
        parser.error(f"{sorted(unknown)} are not in environments.toml")
    rows, passed = [], True
    for name in options.names or ENVIRONMENTS:
        version = ENVIRONMENTS[name]["python"]
        if python_at_hand(version) is None:
            rows.append(f"| {name} | {version} | not on this machine | | |")
            continue
        with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
            ok, one = row(name, made(name, pathlib.Path(folder)), options.tests)
        rows.append(one)
        passed = passed and ok
    print(*rows, sep="\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
