# `make check` is what CI runs: what is green here is green there.
.PHONY: install fix check lint types floors test thorough snap picture trouble bench bench-peers

install:
	python -m pip install -e '.[dev]'

fix:
	ruff check --fix . && ruff format . && codespell -w

check: lint types floors test

lint:
	ruff check . && ruff format --check . && codespell

types:
	mypy

floors:
	lint-imports

# `coverage run -m pytest`, not `pytest --cov`: an entry-point plugin loads before --cov starts to measure.
test:
	coverage erase
	coverage run -m pytest
	coverage combine -q
	coverage report

# Every property with ten times its examples: 1,000, where `make test` tries 100.
thorough:
	pytest -m hypothesis --hypothesis-profile=thorough --timeout=900

snap:
	python -m orchestrator.spans docs
	pytest --snapshot-update

picture:
	python docs/waterfall.py

# Needs aimock, as the tests of providers do; see CONTRIBUTING.md.
trouble:
	python -m tests.trouble

bench:
	for script in benchmarks/*.py; do python $$script || exit 1; done

# The peers pin what they need: they get an environment of their own.
bench-peers:
	python -m venv .venv/peers
	.venv/peers/bin/pip install -q -e '.[tracing]' logfire traceloop-sdk openinference-instrumentation ddtrace langfuse
	.venv/peers/bin/python benchmarks/peers/tracing.py off
	.venv/peers/bin/python benchmarks/peers/tracing.py on
	python -m venv .venv/loop-peers
	.venv/loop-peers/bin/pip install -q -e '.[tracing]' langgraph pydantic-graph prefect
	.venv/loop-peers/bin/python benchmarks/peers/run_loop.py
