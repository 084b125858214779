# `make run` starts Greenwall, `make test` checks everything. README says the same in pip's words.

PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
READY   = $(VENV)/.ready

.PHONY: run test check-code browser extra lock readme bench clean

run: $(READY)
	$(BIN)/streamlit run app.py

# GREENWALL_REQUIRE_BROWSER: a browser test that cannot run fails instead of being skipped.
test: $(READY) browser check-code
	GREENWALL_REQUIRE_BROWSER=1 $(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder

# What few checks need (grpc).
extra: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-extra.txt -c requirements.lock

check-code: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(READY): requirements.txt requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Greenwall needs Python 3.11 or newer; set PYTHON=python3.x")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c requirements.lock
	touch $(READY)

browser: $(READY)
	@command -v chromium || command -v chromium-browser || command -v google-chrome || $(BIN)/playwright install chromium \
	  || { command -v apt-get && { apt-get update -q && apt-get install -y -q chromium || sudo apt-get install -y chromium; }; } \
	  || { command -v dnf && sudo dnf install -y chromium; } || { command -v brew && brew install --cask chromium; }

# Written on the oldest Python that is supported, so that it holds for all.
lock: $(READY)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-header --quiet requirements.txt requirements-extra.txt -o requirements.lock

readme: $(READY)
	$(BIN)/python -m tests.test_readme

bench: $(READY)
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
