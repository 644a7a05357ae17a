# make bench: the shipped models on this machine.  make test, make thorough: the tests, and the longer ones; CI runs both.
PYTHON ?= python3
BIN := .venv/bin
PIP := -m pip --disable-pip-version-check install -qq --no-compile
OLD := .venv-tflite-runtime
OLD_PYTHON ?= $(or $(shell command -v python3.11),$(PYTHON))
MAKEFLAGS += --no-print-directory
# In pip's place, which compiles everything on one core. What no Python can read is for others, and no failure.
COMPILE := -m compileall -qq -j 2 -x '/(torch|networkx|onnxruntime|pip|mypy|tests?)/'
# Where it is set, each of the many processes of a test run compiles every module anew.
unexport PYTHONDONTWRITEBYTECODE

COUNT ?= 500
SEED ?= 0

.PHONY: bench test thorough check benchmarks fuzz clean environments system-packages

bench: .venv/installed
	@$(BIN)/python run_bench.py run

# Unit tests compute; many of the others wait for devices, so that more of them run at once.
test: environments
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not thorough" tests/unit
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -m "not thorough" tests/contract tests/integration

# Faults in whole campaigns, every operator against a reference, large networks, odd and damaged models.
thorough: environments
	@$(BIN)/python -m pytest -n 2 --dist loadgroup -m thorough tests/unit
	@$(BIN)/python -m pytest -n 3 --dist loadgroup -m thorough tests/integration

check: .venv/installed-dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/python -m pytest tests/unit/test_import_table.py

# make benchmarks NAME=parity runs one of them.
benchmarks: .venv/installed-dev
	@$(BIN)/python -m tests.benchmarks $(NAME)

# Damaged models thrown at a run; a short one is among the tests. make fuzz COUNT=500 SEED=0
fuzz: .venv/installed-dev
	@$(BIN)/python -m tests.fuzz $(COUNT) $(SEED)

environments:
	@$(MAKE) -j2 .venv/installed-dev $(OLD)/installed system-packages

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -m venv .venv
	@$(BIN)/python $(PIP) -c constraints.txt -e .
	@$(BIN)/python $(COMPILE) .venv/lib; touch $@

.venv/installed-dev: .venv/installed
	@$(BIN)/python $(PIP) -c constraints.txt -e ".[dev,torch]"
	@$(BIN)/python $(COMPILE) .venv/lib; touch $@

# What the tests of tflite-runtime measure with; nothing else needs it.
$(OLD)/installed: requirements-tflite-runtime.txt
	@$(OLD_PYTHON) -c 'import sys; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))' || { \
		echo "make: tests of tflite-runtime need a Python of 3.9 to 3.11, there are no wheels for later ones;" \
			"$(OLD_PYTHON) is none: make test OLD_PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(OLD_PYTHON) -m venv $(OLD)
	@$(OLD)/bin/python $(PIP) -r $<
	@$(OLD)/bin/python $(COMPILE) $(OLD)/lib; touch $@

system-packages:
	@sh tests/install_system_packages.sh

clean:
	rm -rf .venv $(OLD) .bench .bench-architectures build *.egg-info
