# What CI runs: `make check`. PYTHON may name the interpreter of a virtual environment.
PYTHON ?= python3
EXECUTABLE := $(shell $(PYTHON) -c 'import sys; print(sys.executable)')
BIN := $(dir $(EXECUTABLE))

.PHONY: check lint types pyright imports test format
check: lint types imports test

lint:
	$(BIN)ruff check .
	$(BIN)ruff format --check .

types:
	$(BIN)mypy

pyright: # not in `check`: it needs Node
	$(BIN)pyright --pythonpath $(EXECUTABLE)

imports:
	$(BIN)lint-imports

test:
	$(BIN)pytest -q -n auto

format:
	$(BIN)ruff check --fix .
	$(BIN)ruff format .
