# The commands of the project. Needs make and Python 3.11 or newer, nothing else.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TESTS ?= tests

.PHONY: run test faults bench check audit lock

run: $(VENV)/.runs
	$(BIN)/streamlit run app.py

# Without a browser on the machine, Playwright fetches one where it can; where not, the tests that need it say so.
test: $(VENV)/.tests
	@for name in chromium chromium-browser google-chrome; do command -v $$name >/dev/null && exit 0; done; \
		$(BIN)/playwright install chromium || true
	$(BIN)/python -m pytest $(TESTS)

# The whole of each loop, of which `make test` runs a small part; the figures of the run are in faults.xml.
faults: $(VENV)/.tests
	CARBUROAM_TEST_FAULTS=whole $(BIN)/python -m pytest tests/faults --junitxml=faults.xml

bench: $(VENV)/.tests
	$(BIN)/python -m bench

check: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Whether an advisory names a package that is pinned.
audit: $(VENV)/.tests
	$(BIN)/python .ci/audit.py

# Pin anew what requirements.txt and requirements-dev.txt ask for.
lock: $(VENV)/.tests
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header requirements.txt -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-header requirements-dev.txt -c requirements.lock -o requirements-dev.lock

$(VENV)/.runs: requirements.lock
	$(PYTHON) -c 'import sys; sys.exit("Carburoam needs Python 3.11 or newer") if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	touch $@

$(VENV)/.tests: $(VENV)/.runs requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.lock
	touch $@
