# Two commands: `make demo` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3.11
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
export PATH := $(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1

.DEFAULT_GOAL := help
.PHONY: help install demo test test-processors lint bench clean

help: ## list the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## install into .venv what requirements.lock names

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip==26.3
	$(BIN)/python -m pip install --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

demo: install ## generate a sample, run the whole pipeline on it, name the report
	@bash scripts/demo.sh

test: install ## run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-processors: install ## run the numeric tests with the kernels of several kinds of processor
	$(BIN)/python scripts/test_processors.py

lint: install ## style and types
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy mmx stages

bench: install ## measure against what a user would use instead
	@bash scripts/bench.sh

clean: ## remove what demo and benchmarks built
	rm -rf build
