# Two commands: `make demo` runs the whole use case on real flights, `make test` passes every check.
SHELL := /bin/bash
PYTHON ?= python3.11
BIN := .venv/bin
LANDING := data/landing
READY := .venv/.installed
WORKERS ?= 2

.PHONY: demo test quick lint lock clean

demo: $(READY)
	$(BIN)/python jobs/land_flights.py $(LANDING)
	$(BIN)/sparkml-ops run flights
	$(BIN)/python jobs/show_flights.py

# Two Spark sessions side by side: planning a small job keeps one core busy, not two. A module stays in one of them.
test: lint
	$(BIN)/pytest -n $(WORKERS) --no-loadscope-reorder

quick: lint
	$(BIN)/pytest -m "not slow"

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The lock has every package with its hashes; the project itself is added without resolving anything again.
$(READY): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is needed: install Python 3.11, or say make PYTHON=…" >&2; exit 3; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

# Needs `pip install uv`; run it after a change of the dependencies in pyproject.toml.
lock:
	uv pip compile --quiet pyproject.toml --extra dev --generate-hashes --no-header --no-annotate --python-version 3.11 \
		--output-file requirements.lock

clean:
	rm -rf data .venv build *.egg-info
