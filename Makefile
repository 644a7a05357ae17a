# make bench: the shipped models on this machine.  make test: everything that CI runs.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install -qq -c constraints.txt
MAKEFLAGS += --no-print-directory

.PHONY: bench test check benchmarks clean

bench: .venv/installed
	@$(BIN)/python run_bench.py run

test: .venv/installed-dev
	@sh tests/install_system_packages.sh
	@$(BIN)/python -m pytest

check: .venv/installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/unit/test_import_table.py

# make benchmarks NAME=parity runs one of them.
benchmarks: .venv/installed-dev
	@$(BIN)/python -m tests.benchmarks $(NAME)

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -m venv .venv
	@$(PIP) -e .
	@touch $@

.venv/installed-dev: .venv/installed
	@$(PIP) -e ".[dev]"
	@touch $@

clean:
	rm -rf .venv .bench build *.egg-info
