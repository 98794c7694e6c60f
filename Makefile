# The commands of the README. Everything that they make lies in .venv/ and in .local/.
SHELL := /bin/sh
.DEFAULT_GOAL := help

export QUALITY_PLATFORM_HOME ?= $(CURDIR)/.local
export DAGSTER_HOME := $(QUALITY_PLATFORM_HOME)/dagster
# No product of ours and no library of theirs reports anything home.
export SODA_CORE_TELEMETRY_ENABLED := false
export GX_ANALYTICS_ENABLED := false

PORT ?= 3000
BIN := .venv/bin

.PHONY: help run ui instance test lint format lock docs bench bench-ingest bench-scale bench-features bench-drift clean

help: ## Show the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

run: .venv/installed instance ## Land the demo data and run the whole pipeline through Dagster
	@$(BIN)/python demo/land_flights.py $(QUALITY_PLATFORM_HOME)/landing
	@$(BIN)/quality-platform launch

ui: .venv/installed instance ## Open the Dagster UI on http://localhost:3000 (PORT=... for another)
	@$(BIN)/python scripts/serve_ui.py $(PORT)

test: .venv/installed-dev ## Install what the tests need, and run them
	@scripts/run_tests $(TESTS)

lint: .venv/installed-dev ## Check style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev ## Format the code
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: .venv/installed-dev ## Write the generated pages of docs/
	$(BIN)/python scripts/write_docs.py

bench: .venv/installed-dev ## Measure against the peers and the limit (SIZE=1M, ENGINES="ours soda" for a part)
	@BENCH_FOLDER=$(QUALITY_PLATFORM_HOME)/bench $(BIN)/python -m benchmarks \
	    $(if $(SIZE),--sizes $(SIZE)) $(if $(ENGINES),--engines $(ENGINES))

bench-ingest: .venv/installed-dev ## Measure loading from databases and files (SIZE=0.2M, SOURCES="csv merge" for a part)
	@BENCH_FOLDER=$(QUALITY_PLATFORM_HOME)/bench $(BIN)/python -m benchmarks.ingest \
	    $(if $(SIZE),--size $(SIZE)) $(if $(SOURCES),--sources $(SOURCES))

bench-scale: .venv/installed-dev ## Measure a location of 1,000 tables (SIZE=100, PROBES="load ticks" for a part)
	@BENCH_FOLDER=$(QUALITY_PLATFORM_HOME)/bench $(BIN)/python -m benchmarks.scale \
	    $(if $(SIZE),--size $(SIZE)) $(if $(PROBES),--probes $(PROBES))

bench-features: .venv/installed-dev ## Measure materialization, online reads, historical joins (SIZE=0.1M for a part)
	@BENCH_FOLDER=$(QUALITY_PLATFORM_HOME)/bench $(BIN)/python -m benchmarks.features $(if $(SIZE),--size $(SIZE))

bench-drift: .venv/installed-dev ## Measure drift against scipy, Evidently, frouros (SIZE=1M for a small one)
	@BENCH_FOLDER=$(QUALITY_PLATFORM_HOME)/bench $(BIN)/python -m benchmarks.drift $(if $(SIZE),--size $(SIZE))

lock: ## Resolve the lock files anew (needs uv)
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --no-strip-extras \
	    --python-version 3.11 --group demo pyproject.toml -o requirements.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --no-strip-extras \
	    --python-version 3.11 --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header --no-strip-extras \
	    --python-version 3.11 --group demo --all-extras -c requirements.lock -c requirements-dev.lock pyproject.toml \
	    -o requirements-image.lock

clean: ## Remove all local state
	rm -rf $(QUALITY_PLATFORM_HOME)

.venv/bin/python:
	@scripts/make_venv

.venv/installed: requirements.lock pyproject.toml | .venv/bin/python
	@scripts/install_lock requirements.lock
	@touch $@

.venv/installed-dev: requirements-dev.lock pyproject.toml | .venv/bin/python
	@scripts/install_lock requirements-dev.lock
	@touch $@ .venv/installed

# The instance's file follows dagster.yaml and QUALITY_PLATFORM_DAGSTER_POSTGRES_URL.
instance: .venv/installed
	@$(BIN)/quality-platform instance
