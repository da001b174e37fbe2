# Jifen needs only python3 (3.11), pip and make. Two environments live in one .venv:
#   requirements.lock       what the gateway needs (make run, make migrate)
#   requirements-dev.lock   the same and what tests and checks need (make test, make check, ...)
# Each is installed once and again only when its lock changes; the stamps in .venv remember.
# Only `make conformance` needs npm besides: it runs other people's JavaScript clients, and the server on
# Node that `make bench` measures beside ours where npm is there.

VENV    := .venv
PY      := $(VENV)/bin/python
RUNTIME := $(VENV)/runtime.stamp
DEV     := $(VENV)/dev.stamp
CLIENTS := tests/conformance/node_modules/installed.stamp
PEER    := benchmarks/home/peers/node/node_modules/installed.stamp
LOCK    := $(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
           --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test conformance faults check lint migrate lock game bench bench-ledger bench-games bench-training bench-home soak clean distclean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	  while IFS='|' read -r target text; do printf '%-16s %s\n' "$$target" "$$text"; done

run: $(RUNTIME) ## Migrate, seed the demo programme, serve the gateway and the fake WeChat
	@$(PY) -m api.cli run

game: $(DEV) ## Serve the game of examples/partner-game beside a running demo
	@$(PY) examples/partner-game/demo.py $(ARGS)

# Bytecode is kept, whatever the environment says: every worker loads 700 modules of tests, and tests
# start hundreds of commands, each of which would compile anew what it imports.
test faults: export PYTHONDONTWRITEBYTECODE :=

test: $(DEV) ## Run the tests, on SQLite and on PostgreSQL
	@$(PY) -m pytest -n auto --dist loadscope --no-loadscope-reorder --ignore tests/repository \
	  -m 'not faults and not conformance' $(ARGS)

conformance: $(DEV) $(CLIENTS) $(PEER) ## Try the gateway with other people's clients (needs npm)
	@$(PY) -m pytest -m conformance tests/conformance $(ARGS)

faults: $(DEV) ## Run the tests that kill, stop and overload servers, and the browser (minutes)
	@$(PY) -m pytest -m faults -n auto --dist loadscope --no-loadscope-reorder $(ARGS)

check: lint ## Run the whole gate: lint, then the guards of tests/repository
	@$(PY) -m pytest -n auto --dist loadscope --no-loadscope-reorder tests/repository

lint: $(DEV) ## Check style, types and the layers' import contracts
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo

migrate: $(RUNTIME) ## Bring the database named by DATABASE_URL up to date
	@$(PY) -m api.cli migrate

lock: $(DEV) ## Pin the dependencies of pyproject.toml into both lock files
	@$(LOCK) --output-file requirements.lock pyproject.toml
	@$(LOCK) --output-file requirements-dev.lock --group dev --constraint requirements.lock pyproject.toml
	@echo 'Locked: requirements.lock, requirements-dev.lock'

bench: $(DEV) ## Run the benchmarks and print what they measure
	@$(call install_peer)
	@$(PY) -m benchmarks $(ARGS)

bench-ledger: $(DEV) ## Run the ledger beside pgbench, and print where its time goes
	@$(PY) -m benchmarks ledger

bench-games: $(DEV) ## Push rewards beside raw SQL that writes the same rows
	@$(PY) -m benchmarks games

bench-training: $(DEV) ## Train recommendations for 100,000 members: time and memory
	@$(PY) -m benchmarks training

bench-home: $(DEV) ## Serve the home page beside servers written by hand and Node; where its time goes
	@$(call install_peer)
	@$(PY) -m benchmarks home budget worker growth $(ARGS)

soak: $(DEV) ## Run the long form of every test marked soak (hours)
	@JIFEN_SOAK=1 $(PY) -m pytest -m soak --timeout=0 $(ARGS); status=$$?; \
	if [ $$status -eq 5 ]; then echo 'There is no test marked soak yet.' >&2; fi; exit $$status

clean: ## Remove the data in var/ and every cache
	@rm -rf var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './$(VENV)/*' -prune -exec rm -rf {} +

distclean: clean ## Remove .venv and the installed clients too
	@rm -rf $(VENV) tests/conformance/node_modules benchmarks/home/peers/node/node_modules

# The first Python 3.11 of the machine: PYTHON if given, else python3.11, else python3.
define find_python
python=; for candidate in $(PYTHON) python3.11 python3; do \
  if $$candidate -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; \
  then python=$$candidate; break; fi; \
done; \
if [ -z "$$python" ]; then \
  echo 'Jifen needs Python 3.11 (>=3.11,<3.12); neither python3.11 nor python3 is one.' >&2; \
  echo 'If it is installed elsewhere: make PYTHON=/path/to/python3.11 ...' >&2; exit 1; \
fi
endef

# Debian ships ensurepip apart from python3. Without it the environment is made without pip and
# the machine's own pip fills it from outside (`pip --python`, pip 22.3 or later).
$(PY):
	@$(find_python); \
	if $$python -c 'import ensurepip' >/dev/null 2>&1; then $$python -m venv $(VENV); \
	elif $$python -m pip --python $$python --version >/dev/null 2>&1; \
	then $$python -m venv --without-pip $(VENV); \
	else echo 'This Python can make no virtual environment: apt install python3-venv' >&2; exit 1; fi

# install(lock, what): fill .venv from one lock file, hashes required.
define install
$(find_python); \
if $(PY) -m pip --version >/dev/null 2>&1; then pip="$(PY) -m pip"; \
else pip="$$python -m pip --python $(PY)"; fi; \
echo 'Installing $(2) into $(VENV), once (about a minute) ...'; \
$$pip --disable-pip-version-check -qq install --no-input --require-hashes -r $(1)
endef

$(RUNTIME): requirements.lock | $(PY)
	@$(call install,requirements.lock,what the gateway needs)
	@touch $@

$(DEV): requirements-dev.lock $(RUNTIME)
	@$(call install,requirements-dev.lock,what tests and checks need)
	@touch $@

# Without npm the benchmarks leave the server on Node out, and say so.
define install_peer
if command -v npm >/dev/null; then $(MAKE) --no-print-directory $(PEER); fi
endef

$(PEER): benchmarks/home/peers/node/package-lock.json
	@echo 'Installing Mercurius into benchmarks/home/peers/node/node_modules, once ...'
	@cd benchmarks/home/peers/node && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(CLIENTS): tests/conformance/package-lock.json
	@command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' 2>/dev/null || \
	  { echo 'make conformance needs npm and Node.js 20 or later: install nodejs and npm' >&2; exit 1; }
	@echo "Installing other people's clients into tests/conformance/node_modules, once ..."
	@cd tests/conformance && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
