# The task runner. `make all` is what CI runs: the README's two commands, then every check.
PYTHON ?= .venv/bin/python
DOCUMENTS := README.md docs
SPHINX := $(PYTHON) -m sphinx -b html -W --keep-going -q
SCRIPTS := .ci/readme_command .ci/wheel_alone

.PHONY: all check readme test coverage slow kills fuzz lint format-check format types doctests build dist sdist-test \
	docs docs-fast browser picture golden \
	api versions programs

# Never run goals in parallel, even with -j: the README's commands make the environment that the
# checks use.
.NOTPARALLEL:

all: readme check

check: lint format-check types build docs-fast

# The README's commands, exactly as printed. The tests come last, because their command installs the
# development tools into .venv.
readme:
	@set -e; for name in demo tests; do \
	    command=$$(python3 .ci/readme_command $$name); \
	    printf '\n== README, %s:\n%s\n\n' "$$name" "$$command"; \
	    bash -e -o pipefail -c "$$command"; \
	done

test:
	$(PYTHON) -m pytest -n 2

# It takes half as long again as `make test`, so it is not part of CI.
coverage:
	$(PYTHON) -m pytest -n 2 --cov

# Clusters of dask and ray, and two processes of torch. CI leaves them out, as they take a minute to
# start. They need `pip install -e ".[dev,clusters]"`.
slow:
	$(PYTHON) -m pytest -m slow tests

# Calls with any input, by the thousand: tests/test_fuzzing.py has a sample in the suite. It prints
# what came of them. Other cases: FUZZ_SEED=1.
FUZZ_CASES ?= 25000
FUZZ_SEED ?= 0
fuzz:
	FUZZ_CASES=$(FUZZ_CASES) SCIPY_ARRAY_API=1 OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -s \
	    -p no:cacheprovider --hypothesis-seed=$(FUZZ_SEED) tests/test_fuzzing.py

# skdann beside other packages, in an environment of their own; it prints their versions. torch is
# the one of constraints.txt, and is not replaced.
PROGRAMS := .venv-programs
programs:
	test -d $(PROGRAMS) || python3 -m venv $(PROGRAMS)
	$(PROGRAMS)/bin/pip install -q "$$(grep '^torch==' constraints.txt)" -e . -r tests/programs/requirements.txt
	$(PROGRAMS)/bin/python -m pytest -m programs tests/programs
	$(PROGRAMS)/bin/pip list | grep -i -f tests/programs/requirements.txt

# Fits in processes that get SIGKILL, at least 80 times, and go on from their checkpoints. It takes
# about ten minutes. docs/results/kills.md has the table.
kills:
	OMP_NUM_THREADS=1 $(PYTHON) benchmarks/kills.py --kills 10

lint:
	$(PYTHON) -m ruff check . $(SCRIPTS)

format-check:
	$(PYTHON) -m ruff format --check . $(SCRIPTS)

format:
	$(PYTHON) -m ruff check --fix-only . $(SCRIPTS)
	$(PYTHON) -m ruff format . $(SCRIPTS)

types:
	$(PYTHON) -m mypy

# Part of `make test`, by itself.
doctests:
	$(PYTHON) -m pytest --doctest-modules --doctest-glob='*.md' skdann $(DOCUMENTS)

# Build the sdist and, from it, the wheel. Fit where only the wheel and what it requires can be imported.
build:
	set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m build -q --no-isolation --outdir "$$folder" .; \
	$(PYTHON) .ci/wheel_alone "$$folder"/*.whl

# The files of a release, checked, in dist/. RELEASING.md says when, and what to install for it.
dist:
	rm -rf dist
	$(PYTHON) -m validate_pyproject pyproject.toml
	$(PYTHON) -m build -q --outdir dist .
	$(PYTHON) -m twine check --strict dist/*
	$(PYTHON) -m check_wheel_contents dist
	$(PYTHON) .ci/wheel_alone dist/*.whl

# The tests from the unpacked sdist in dist/: whatever they need must be in it.
sdist-test:
	set -e; python=$$($(PYTHON) -c 'import sys; print(sys.executable)'); \
	folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	tar --extract --strip-components=1 --directory="$$folder" --file=$$(ls dist/*.tar.gz); \
	cd "$$folder"; "$$python" -m pytest $(TESTS)

# The whole site, from nothing, in docs/_build/html: the examples of the pages run, then every script
# of the gallery. It needs `pip install -e ".[docs]"` and no network. A warning is an error.
docs:
	$(PYTHON) -m pytest -q --doctest-glob='*.md' $(DOCUMENTS)
	rm -rf docs/_build docs/auto_examples docs/api/*.rst docs/api/used_in
	$(SPHINX) docs docs/_build/html

# The same without running anything, and only the pages that changed.
docs-fast:
	$(SPHINX) -D plot_gallery=0 docs docs/_build/html

# Small fits in files, which every later version must load. RELEASING.md says when.
golden:
	$(PYTHON) -W ignore tests/golden/make.py

# The README's picture, drawn by an example of the gallery.
picture:
	$(PYTHON) docs/images/draw_moons.py

# The site that `make docs` left, in a browser. It needs Debian's chromium and chromium-driver, and npm.
browser:
	npm install --silent --no-audit --no-fund --prefix docs/_build/axe axe-core@4.14.1
	$(PYTHON) -m pytest -q -p no:cacheprovider tests/browser

# The list of all that is public, which a test compares with the package.
api:
	$(PYTHON) tests/public_api.py

# The tests in environments made for it, from the oldest versions of what the package requires to the
# newest. Takes half an hour and, for a while, 10 GB. For one of them: make versions ENV=oldest.
versions:
	$(PYTHON) tests/versions/run_in_environments.py $(ENV)
