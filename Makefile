# SPDX-License-Identifier: MIT
# Two commands matter, `make demo` and `make test`. Each does all its own set-up on a machine that
# has only python3 (3.11 or newer, with venv) and make; the stamps keep it from doing so twice.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEPENDENCIES := $(VENV)/dependencies.stamp
PROJECT := $(VENV)/project.stamp
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: demo test lint types unit lock clean

demo: $(PROJECT)
	@$(BIN)/vpcisim run eject-in-use

test: lint types unit

lint: $(PROJECT)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(PROJECT)
	$(BIN)/mypy

unit: $(PROJECT)
	$(BIN)/python -m pytest --numprocesses auto -rs

# The build backend is one of the pinned dependencies, so the project itself installs without a
# network and without an isolated build.
$(PROJECT): $(DEPENDENCIES) pyproject.toml
	@$(PIP) install --no-index --no-deps --no-build-isolation \
	  --config-settings editable_mode=compat --editable .
	@touch $@

$(DEPENDENCIES): requirements.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("vpcisim needs Python 3.11 or newer: make PYTHON=python3.11")'
	@echo "Setting up $(VENV) (once)" >&2
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PIP) install --require-hashes --requirement requirements.txt
	@touch $@

# For maintainers: needs pip-tools and a package index.
lock:
	pip-compile --generate-hashes --allow-unsafe --strip-extras --no-header --no-annotate \
	  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	  --output-file requirements.txt requirements-dev.in

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
