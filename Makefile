# What CI runs: `make check`. PYTHON may name the interpreter of a virtual environment.
PYTHON ?= python3
BIN := $(dir $(shell $(PYTHON) -c 'import sys; print(sys.executable)'))

.PHONY: check lint types imports test format
check: lint types imports test

lint:
	$(BIN)ruff check .
	$(BIN)ruff format --check .

types:
	$(BIN)mypy

imports:
	$(BIN)lint-imports

test:
	$(BIN)pytest -q

format:
	$(BIN)ruff check --fix .
	$(BIN)ruff format .
