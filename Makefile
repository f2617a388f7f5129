PYTHON ?= python3
BIN := .venv/bin

unexport PYTHONDONTWRITEBYTECODE  # a run of the tests compiles everything once, not each time

.DEFAULT_GOAL := help
.PHONY: help setup run test test-postgres setup-postgres quick check format adapters bench bench-peers soak screenshots audit clean

help: ## List these commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 16

setup: .venv/.installed ## Install Nola into .venv (run does it by itself)

setup-postgres: .venv/.installed-postgres ## The same, with what DATABASE_URL needs (run does that too where it is set)

run: .venv/.installed $(if $(DATABASE_URL),.venv/.installed-postgres) ## Start Nola on http://127.0.0.1:8000; the first run sets everything up
	@exec $(BIN)/python manage.py serve

test: .venv/.installed-dev ## Install what tests need, and run them all; those that use a database on PostgreSQL too, answered alike
	@tapes=$$(mktemp -d); trap 'rm -rf "$$tapes"' EXIT; \
		TEST_TAPES="$$tapes" $(MAKE) --no-print-directory test-postgres; on_postgres=$$?; \
		TEST_TAPES_TO_COMPARE="$$tapes" $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -rs && exit $$on_postgres

test-postgres: .venv/.installed-dev ## The tests that use a database or speak HTTP, on a PostgreSQL that they start
	@$(BIN)/python -m tests.postgres $(BIN)/python -m pytest -n 2 --dist loadfile --database --hypothesis-profile=$(if $(CI),few,dev)

quick: .venv/.installed-dev ## The tests that start no server and no browser: under a minute
	@$(BIN)/python -m pytest -n 2 --dist loadfile -rs -m "not process"

check: .venv/.installed-dev ## Formatting, lint, types, migrations
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy .
	@DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run
	@DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py check

audit: .venv-audit/.installed ## Look for known weaknesses in what is installed, in the public database
	@.venv-audit/bin/python -m pip_audit --requirement requirements.txt --requirement requirements-postgres.txt --requirement requirements-dev.txt \
		--no-deps --disable-pip --progress-spinner off --timeout 15 $(ARGS)

format: .venv/.installed-dev ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

adapters: .venv/.installed-dev .venv-adapters/.installed ## Test the adapters of nola_client beside their frameworks
	@$(BIN)/python -m pytest -rs nola_client/tests/test_adapters.py

bench: .venv/.installed-dev ## Measure what Nola costs, beside its targets (minutes)
	@$(BIN)/python -m tests.bench $(ARGS)

bench-peers: .venv/.installed .venv-peers/.installed ## Measure it beside its peers too, into docs/benchmarks.md (half an hour)
	@$(BIN)/python -m tests.bench.peers $(ARGS)

soak: .venv/.installed-dev ## Kill and crowd it a hundred times, search the laws anew (takes minutes)
	@$(BIN)/python -m tests.soak
	@$(BIN)/python -m tests.soak.feed
	@$(BIN)/python -m tests.soak.servers
	@$(BIN)/python -m tests.soak.safety
	@$(BIN)/python -m tests.soak.memory 10
	@$(BIN)/python -m tests.soak.pages
	@$(BIN)/python -m pytest tests/soak/costs.py
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m "not process" --hypothesis-profile=search

screenshots: .venv/.installed-dev ## Take the pictures of the docs anew, or some: ONLY="tree home"
	@$(BIN)/python -m tests.screenshots $(ONLY)

clean: ## Remove what was installed; data stays
	rm -rf .venv .venv-peers .venv-audit .venv-adapters .pytest_cache .mypy_cache .ruff_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Nola needs Python 3.11 or newer; this is " + sys.version)'
	@$(PYTHON) -m venv .venv || { echo "Python has no venv module here. On Debian and Ubuntu: apt install python3-venv"; rm -rf .venv; exit 1; }

.venv/.installed: requirements.txt | .venv/bin/python
	@echo "Installing Nola into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	@touch $@

.venv/.installed-postgres: requirements-postgres.txt .venv/.installed
	@echo "Installing the driver of PostgreSQL into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-postgres.txt
	@touch $@

.venv/.installed-dev: requirements-dev.txt requirements-postgres.txt .venv/.installed
	@echo "Installing what tests need into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@

.venv-peers/.installed: tests/bench/peers/requirements.txt
	@echo "Installing what Nola is measured beside into .venv-peers ..."
	@$(PYTHON) -m venv .venv-peers
	@.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.venv-audit/.installed: requirements-audit.txt
	@echo "Installing what looks for known weaknesses into .venv-audit ..."
	@$(PYTHON) -m venv .venv-audit
	@.venv-audit/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

.venv-adapters/.installed: nola_client/tests/adapters/requirements.txt nola_client/pyproject.toml
	@echo "Installing nola_client and the frameworks it has adapters for into .venv-adapters ..."
	@$(PYTHON) -m venv .venv-adapters
	@.venv-adapters/bin/python -m pip install --quiet --disable-pip-version-check ./nola_client --requirement $<
	@touch $@
