# The task runner. `make all` is what CI runs: the README's two commands, then every check.
PYTHON ?= .venv/bin/python
DOCUMENTS := README.md docs
SCRIPTS := .ci/readme_command

.PHONY: all check readme test lint format-check format types doctests build

# Never run goals in parallel, even with -j: the README's commands make the environment that the
# checks use.
.NOTPARALLEL:

all: readme check

check: lint format-check types build

# The README's commands, exactly as printed. The tests come last, because their command installs the
# development tools into .venv.
readme:
	@set -e; for name in demo tests; do \
	    command=$$(python3 .ci/readme_command $$name); \
	    printf '\n== README, %s:\n%s\n\n' "$$name" "$$command"; \
	    bash -e -o pipefail -c "$$command"; \
	done

test:
	$(PYTHON) -m pytest -n 2 --cov

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

# Build the sdist and, from it, the wheel. Install only the wheel and its dependencies into a new
# environment, and fit there, in a folder from which the checkout can't be imported by accident.
build:
	set -e; folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	$(PYTHON) -m build -q --outdir "$$folder/dist" .; \
	$(PYTHON) -m venv "$$folder/venv"; \
	"$$folder/venv/bin/pip" install -q -c constraints.txt "$$folder"/dist/*.whl; \
	cd "$$folder"; \
	venv/bin/python -c "$$SMOKE_TEST"

define SMOKE_TEST
import skdann
from skdann.datasets import make_shifted_column

X_src, y_src, X_tgt, y_tgt = make_shifted_column(n_samples=100, random_state=0)
classifier = skdann.DANNClassifier(max_epochs=2, random_state=0).fit(X_src, y_src, X_tgt)
assert classifier.predict(X_tgt).shape == y_tgt.shape
print("skdann", skdann.__version__, "fits from", skdann.__file__)
endef
export SMOKE_TEST
