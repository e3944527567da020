# Every target works from a fresh clone with nothing but Python 3.11 or newer and its venv module.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# The first interpreter that is new enough and can make a virtual environment.
PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11; do \
	"$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo "$$name"; break; }; done)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_BENCH := $(VENV)/.installed-bench
MINUTES ?= 60
PYTEST_WORKERS ?= 2

.PHONY: help demo test test-versions bench soak fuzz asan format lint types layers pytest clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' Makefile

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "make: no Python 3.11 or newer with its venv module was found" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The stamp makes a second run quick; a changed pyproject.toml or C source installs anew.
$(INSTALLED): pyproject.toml $(wildcard lsm/kernel/native/*) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,test]'
	@$(BIN)/python -c 'from lsm.kernel import kernels; "compiled" in kernels() or \
		print("make: the compiled kernel was not built (is there a C compiler?); the plain one does its work")'
	@touch $@

$(INSTALLED_BENCH): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,test,bench]'
	@touch $@

demo: $(INSTALLED) ## the whole product on real data, told from top to bottom
	@$(BIN)/layerdb demo

test: lint types layers pytest ## everything that must hold before a change is accepted

pytest: $(INSTALLED)
	$(BIN)/python -m pytest -n $(PYTEST_WORKERS)

lint: $(INSTALLED) ## formatting and lint rules, without changing a file
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(INSTALLED) ## strict static types
	$(BIN)/mypy

layers: $(INSTALLED) ## imports point only downward
	$(BIN)/lint-imports

format: $(INSTALLED) ## format the code and apply the safe fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Each found version has an environment of its own, so that .venv stays as it is.
test-versions: ## the tests on every Python 3.11 to 3.13 on PATH or under ~/.pyenv
	@found=0; \
	for minor in 11 12 13; do \
		for name in python3.$$minor $$(ls -d "$$HOME"/.pyenv/versions/3.$$minor.*/bin/python 2>/dev/null | sort -V); do \
			"$$name" -c "import ensurepip, sys, venv; sys.exit(sys.version_info[:2] != (3, $$minor))" 2>/dev/null || continue; \
			echo "== Python 3.$$minor ($$name)"; \
			$(MAKE) --no-print-directory pytest VENV=.venv-3.$$minor PYTHON="$$name"; \
			found=$$((found + 1)); break; \
		done; \
	done; \
	test $$found -gt 0 || { echo "make: no Python 3.11 to 3.13 was found" >&2; exit 1; }; \
	echo "== passed on $$found versions of Python"

bench: $(INSTALLED_BENCH) ## throughput beside LevelDB and SQLite; ARGUMENTS='--entries 1000000'
	$(BIN)/python -m bench $(ARGUMENTS)
	$(BIN)/python -m bench.documents

# A finding is kept in findings/; when it is mended, the input belongs in tests/fuzz/corpus.
fuzz: $(INSTALLED) ## hostile bytes for every parser, guided by coverage; MINUTES=60
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

# Every lane for its share of the time; the report at the end is one line of JSON and a table.
soak: $(INSTALLED) ## long random and crash tests on simulated and real disks; MINUTES=60
	$(BIN)/python -m tests.soak --minutes $(MINUTES) --workers $(PYTEST_WORKERS)

# Built beside the installed kernel, which stays as it is. A leak check would report what the interpreter itself keeps.
asan: $(INSTALLED) ## the compiled kernel under AddressSanitizer: its own tests, flipped bytes, hostile tables
	rm -rf build
	CFLAGS='-g -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined' \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --target build/asan .
	rm -rf build/lib.* build/temp.* build/bdist.*
	LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libubsan.so)" \
		ASAN_OPTIONS=detect_leaks=0 PYTHONMALLOC=malloc LAYERDB_KERNEL=compiled \
		$(BIN)/pytest -q -p no:cacheprovider -o pythonpath='build/asan .' --timeout 3600 \
		tests/lsm/kernel tests/formats tests/lsm/sstable

clean: ## remove what the other targets made
	rm -rf .venv .venv-* build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -f lsm/kernel/*.so
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
