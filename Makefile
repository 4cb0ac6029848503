# `make` alone lists what there is to do. Everything is installed into .venv, from lock files.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate --extra platform pyproject.toml requirements/build.in

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test chaos check bench servers lock clean

help: ## list what there is to do
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/runtime-installed ## run the whole platform here until Ctrl-C, or for some seconds: make demo FOR=20
	@$(BIN)/python -m workers.demo $(if $(FOR),--for $(FOR))

test: servers $(VENV)/dev-installed ## run the tests, on real servers
	@$(BIN)/python -m pytest -m "not chaos"

chaos: servers $(VENV)/dev-installed ## kill at random for a minute, and stop the store under load: for a quiet machine
	@$(BIN)/python -m pytest -m chaos -s

check: $(VENV)/dev-installed ## check format, style, types, house rules and lock files
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@! grep -n '://' requirements/*.lock || { echo "A lock file names a URL; 'make lock' writes it without." >&2; exit 1; }

bench: servers $(VENV)/dev-installed ## measure what the monitor costs the jobs, how fast it ships, what measuring takes
	@$(BIN)/python -m benchmarks.overhead
	@$(BIN)/python -m benchmarks.ship
	@$(BIN)/python -m benchmarks.sampling
	@$(BIN)/python -m benchmarks.samplers

servers: ## install the servers that tests and benchmarks use, where they are missing
	@scripts/ensure-servers.sh

lock: ## bring the lock files in line with pyproject.toml (needs uv)
	@command -v uv >/dev/null || { echo "This needs uv: pip install uv" >&2; exit 2; }
	$(COMPILE) --output-file requirements/runtime.lock
	$(COMPILE) --group dev --output-file requirements/dev.lock

clean: ## remove all that was made here: environment, caches, and the demo's and the monitor's data
	rm -rf $(VENV) .monitor var build dist *.egg-info .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip comes last into a new environment: where it is missing, nothing was made, or not to the end.
$(BIN)/pip:
	@scripts/make-venv.sh $(PYTHON) $(VENV)

# These two files stand for finished installations: a changed lock file is newer, and is installed again.
$(VENV)/runtime-installed: $(BIN)/pip pyproject.toml requirements/runtime.lock
	@echo "Installing requirements/runtime.lock into $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements/runtime.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev-installed: $(VENV)/runtime-installed requirements/dev.lock
	@echo "Installing requirements/dev.lock into $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements/dev.lock
	@touch $@
