# Two commands: `make demo` shows the product on a sandbox, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test compiled matrix crash bench lint clean

demo: $(VENV)/demo.stamp
	$(BIN)/remodel demo $(ARGS)

test: compiled
	$(BIN)/pytest --numprocesses 2 --dist loadfile $(ARGS)

# The tests start the command some hundred times, perhaps where Python may not write what it compiles.
compiled: $(VENV)/dev.stamp
	@$(BIN)/python -m compileall -q wizard screens

# Every Wagtail that is supported, and sites that nobody here wrote, each in its own environment;
# and the tests of all folders that are marked slow.
matrix: compiled
	$(BIN)/pytest -m "matrix or slow" -rs --numprocesses 2 --dist loadgroup $(ARGS)

# The demo's whole procedure cut off at every row of the journal and in between, and resumed; and
# undone with whatever it might ask broken.
crash: compiled
	$(BIN)/pytest -m crash --numprocesses 2 --dist loadgroup $(ARGS)

bench: $(VENV)/dev.stamp
	$(BIN)/python -m tests.benchmarks $(ARGS)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# requirements.lock pins what the tests ran with; pyproject.toml says what is needed.
$(VENV)/demo.stamp: pyproject.toml requirements.lock | $(BIN)/python
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[demo]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/demo.stamp
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[demo,dev]'
	@touch $@

clean:
	rm -rf $(VENV) .matrix .mypy_cache .ruff_cache .pytest_cache
