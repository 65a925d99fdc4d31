# The workshop: every verb does its own set-up. `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow lint bench lock clean

# The newest interpreter that works and can make environments; 3.13 is the newest the lock was tried with.
USABLE := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	$$p -c '$(USABLE)' >/dev/null 2>&1 && command -v $$p && break; done)
ENV := .venv/bin
STAMP := .venv/.installed
BENCH_STAMP := .venv/.bench

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(STAMP) ## Make .venv with the locked packages and sintonia itself

$(STAMP): requirements.lock pyproject.toml
	@test -x $(ENV)/python || "$(PYTHON)" -c '$(USABLE)' 2>/dev/null || { echo \
	"sintonia needs Python 3.11 or newer with venv and ensurepip; found none: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	test -x $(ENV)/python || "$(PYTHON)" -m venv .venv
	$(ENV)/python -m pip --version >/dev/null 2>&1 || $(ENV)/python -m ensurepip
	$(ENV)/python -m pip install --disable-pip-version-check --quiet --require-hashes --requirement requirements.lock
	$(ENV)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## Simulate a brand, train, score a list, review: all of the road in minutes
	$(ENV)/sintonia demo

test: setup ## Run the tests but the slow ones (ARGS="-k name" for some)
	$(ENV)/python -m pytest -m "not slow" -n 2 --dist loadfile $(ARGS)

test-slow: setup ## Run the slow tests; none is no failure
	$(ENV)/python -m pytest -m slow $(ARGS) || test $$? -eq 5

lint: setup ## Check style, format and types
	$(ENV)/ruff check .
	$(ENV)/ruff format --check .
	$(ENV)/mypy

$(BENCH_STAMP): requirements-bench.lock $(STAMP)
	$(ENV)/python -m pip install --disable-pip-version-check --quiet --require-hashes --requirement requirements-bench.lock
	@touch $@

bench: setup $(BENCH_STAMP) ## Run every benchmark, with the peers it compares to
	@set -e; for bench in tests/benchmarks/bench_*.py; do echo "$$bench"; PYTHONPATH=tests $(ENV)/python "$$bench"; done

lock: ## Lock the newest packages that fit together, the same for every Python (needs uv)
	uv pip compile pyproject.toml --upgrade --universal --python-version 3.11 --extra dev --extra samples \
		--generate-hashes --no-header --quiet --fork-strategy fewest --output-file requirements.lock
	uv pip compile pyproject.toml --universal --python-version 3.11 --extra bench --constraint requirements.lock \
		--generate-hashes --no-header --quiet --fork-strategy fewest --output-file requirements-bench.lock

clean: ## Remove the environment, caches and builds; workspaces stay
	rm -rf .venv dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -prune -exec rm -rf {} +
