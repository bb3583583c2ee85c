# make help lists the commands. A .venv beside this file is made on first use and renewed when
# pyproject.toml or constraints.txt change; PYTHON=python3.12 picks another interpreter for it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable

unexport PYTHONDONTWRITEBYTECODE  # or each process of the tests would compile every module anew

.DEFAULT_GOAL := help
.PHONY: help demo test check audit lock near pages bench bench-forecast bench-anomaly bench-streaming bench-scale clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-15s %s\n", $$1, $$2}' Makefile

demo: $(VENV)/.user ## from raw recordings to a classifier with few labels, in half a minute
	$(BIN)/selftime demo

test: $(VENV)/.dev ## floors, house rules and all tests (what CI runs)
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q -n auto --dist worksteal

check: $(VENV)/.dev ## before each commit: format, lint, types, floors, fast tests
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tests/support/audit.py
	$(BIN)/pytest -q -n auto --dist worksteal -m "not slow and not late" --hypothesis-profile=quick

audit: $(VENV)/.dev ## known vulnerabilities of what requirements-dev.lock names, where their data is reachable
	$(BIN)/python tests/support/audit.py

lock: $(VENV)/.audit ## write requirements-dev.lock anew: versions and hashes of all that is developed with
	env -u PIP_INDEX_URL -u PIP_EXTRA_INDEX_URL -u PIP_FIND_LINKS $(BIN)/uv pip compile pyproject.toml \
		--extra dev --constraint constraints.txt --python-version 3.11 --universal --generate-hashes \
		--no-header --no-annotate --quiet --upgrade --output-file requirements-dev.lock

near: $(VENV)/.dev ## make near FILE=src/selftime/…: tests of a room and of whatever imports it, a minute
	$(BIN)/python tests/support/near.py $(FILE)

pages: $(VENV)/.dev ## write the generated parts of docs/house.md, docs/signals.md and docs/your-data.md anew
	$(BIN)/python docs/modules.py
	$(BIN)/python docs/signals.py
	$(BIN)/python tests/support/sessions.py

bench: $(VENV)/.bench ## measure accuracy and speed beside other tools, written to benchmarks/results
	$(BIN)/python -m benchmarks.speed
	$(BIN)/python -m benchmarks.rocket_speed --threads 2
	$(BIN)/python -m benchmarks.collapse --sets ItalyPowerDemand GunPoint \
		--out benchmarks/results/collapse_small.json
	$(BIN)/python -m benchmarks.gradient --seeds 1 --sets ItalyPowerDemand SyntheticControl ERing \
		--out benchmarks/results/gradient_small.json
	$(BIN)/python -m benchmarks.step_speed
	$(BIN)/python -m benchmarks.roster --seeds 1 --sets ItalyPowerDemand JapaneseVowels \
		--out benchmarks/results/roster_small.json
	$(BIN)/python -m benchmarks

bench-forecast: $(VENV)/.bench ## forecasts of the open sets beside reference rows, every test window
	$(BIN)/python -m benchmarks.forecast --again

bench-anomaly: $(VENV)/.bench ## anomaly detection on UCR, NAB and SMAP/MSL; goes on where it was stopped
	$(BIN)/python -m benchmarks.anomaly

bench-streaming: $(VENV)/.bench ## measure streams beside windows that are encoded anew, and thousands at once
	$(BIN)/python -m benchmarks.streaming

bench-scale: $(VENV)/.bench ## seconds and memory by size, beside aeon, beyond memory, on processes and workers
	$(BIN)/python -m benchmarks.scale
	$(BIN)/python -m benchmarks.long_recordings
	$(BIN)/python -m benchmarks.larger_than_memory
	$(BIN)/python -m benchmarks.processes
	$(BIN)/python -m benchmarks.ray_workers
	$(BIN)/python -m benchmarks.cost_model
	$(BIN)/python -m benchmarks.gpu

clean: ## remove the environment and all caches
	rm -rf $(VENV) dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of packages; an environment holds whatever was asked for so far.
$(VENV)/.python:
	$(PYTHON) -m venv $(VENV)
	touch $@

$(VENV)/.user: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) .
	touch $@

$(VENV)/.dev: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) '.[dev]'
	touch $@

$(VENV)/.audit: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) '.[audit]'
	touch $@

$(VENV)/.bench: $(VENV)/.python pyproject.toml constraints.txt
	$(INSTALL) '.[dev,baselines]'
	touch $@
