# What CI runs: `make check`. PYTHON may name the interpreter of a virtual environment.
PYTHON ?= python3
EXECUTABLE := $(shell $(PYTHON) -c 'import sys; print(sys.executable)')
BIN := $(dir $(EXECUTABLE))

.PHONY: check lint types pyright imports test torch objects ray format picture vscode
check: # two at a time, since mypy keeps one core only
	$(MAKE) -j2 lint types imports test

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

torch: # what `test` skips without it: networks written for PyTorch, in numbers
	$(PYTHON) -c "import torch"
	$(PYTHON) -m pytest -q -n auto -m torch $$(grep -rl mark.torch tests)

objects: # likewise: the store on a server that speaks S3
	$(PYTHON) -c "import moto.server"
	$(PYTHON) -m pytest -q tests/builder/test_objects.py

ray: # likewise: builds on workers, some of which are killed
	$(PYTHON) -c "import ray"
	$(PYTHON) -m pytest -q tests/builder/test_ray.py

CHROMIUM ?= chromium
picture: # docs/report.png, after `wootzc build samples/digits.wz`
	$(CHROMIUM) --headless --no-sandbox --disable-gpu --disable-background-networking \
	  --user-data-dir=$$(mktemp -d) --hide-scrollbars --window-size=1000,1110 \
	  --screenshot=$(CURDIR)/docs/report.png file://$(CURDIR)/build/digits/report.html

format:
	$(BIN)ruff check --fix .
	$(BIN)ruff format .

vscode: # editors/vscode/wootzc.vsix
	@if command -v npm >/dev/null; then cd editors/vscode && npm ci && npm run package; \
	else echo "skipped: the extension is packaged by npm, which comes with Node, and there is none"; fi
