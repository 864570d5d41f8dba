# Every target sets up what it needs. Python 3.13, make and the package registries are enough.
.DEFAULT_GOAL := help
# Else each of the hundreds of processes compiles all that it loads anew.
unexport PYTHONDONTWRITEBYTECODE
VENV := .venv
BIN := $(VENV)/bin
INFRA := .venv-infra
AZ := .venv-az
SDKS := .venv-clients
CUSTODIAN := .venv-custodian
MUTANTS := .venv-mutants
PYTHON := $(shell for p in python3.13 python3 python; do \
    if "$$p" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1; then echo "$$p"; break; fi; done)

# Around a command, to say at its end how long it took.
CLOCK = begun=$$(date +%s);
TOOK = && echo "make $@ took $$(($$(date +%s) - begun)) s"

.PHONY: help setup demo test soak check check-code check-types check-templates format bench clients mutants cover package docs pictures snapshots pins clean

help:            ## what can be made
	@sed -n 's/^\([a-z]*\):[^#]*## */  make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

setup: $(VENV)/.ready node_modules/.ready  ## virtual environment, pinned packages, Azurite

$(VENV)/.ready: requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "amlguard needs Python 3.13 on the PATH (try: pyenv install 3.13, or uv python install 3.13)"; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version) ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

node_modules/.ready: package-lock.json $(VENV)/.ready
	@echo "Setting up Azurite ..."
	@$(BIN)/python -m emulator.functions.node npm ci --silent --no-audit --no-fund
	@touch $@

$(INFRA)/.ready: requirements-infra.txt
	@echo "Setting up $(INFRA): checkov, and ClickHouse for KQL ..."
	@$(PYTHON) -m venv --clear $(INFRA)
	@$(INFRA)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-infra.txt
	@touch $@

# Its packages are large, and few of their modules are ever imported: compiling all of them takes longer than the test.
# A first use compiles those that are: otherwise several tests would each do it, at the same time.
$(AZ)/.ready: requirements-az.txt
	@echo "Setting up $(AZ): the Azure CLI, whose parser az commands are held against ..."
	@$(PYTHON) -m venv --clear $(AZ)
	@$(AZ)/bin/python -m pip install -qq --disable-pip-version-check --no-compile --require-hashes -r requirements-az.txt
	@$(AZ)/bin/python -W ignore tests/az/azure_cli.py <tests/az/first.json >/dev/null
	@touch $@

# The newest SDKs of Azure: azure-cli pins older ones.
$(SDKS)/.ready: requirements-clients.txt
	@echo "Setting up $(SDKS): Azure's SDKs in their newest versions ..."
	@$(PYTHON) -m venv --clear $(SDKS)
	@$(SDKS)/bin/python -m pip install -qq --disable-pip-version-check --no-compile --require-hashes -r requirements-clients.txt
	@touch $@

# Cloud Custodian's pinned packages are those for Python 3.11, whose own pip may be too old for them.
OLDER := $(shell for p in python3.11 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.11.*/bin/python; do \
    if "$$p" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1; then echo "$$p"; break; fi; done)
$(CUSTODIAN)/.ready: requirements-custodian.txt $(VENV)/.ready
	@mkdir -p $(CUSTODIAN)
ifneq ($(OLDER),)
	@echo "Setting up $(CUSTODIAN): Cloud Custodian, with $$($(OLDER) --version) ..."
	@$(OLDER) -m venv --clear --without-pip $(CUSTODIAN)
	@$(BIN)/python -m pip --python $(CUSTODIAN)/bin/python install -qq --disable-pip-version-check --no-compile --require-hashes -r requirements-custodian.txt
endif
	@touch $@

$(MUTANTS)/.ready: requirements-dev.txt requirements-mutants.txt pyproject.toml
	@echo "Setting up $(MUTANTS): the tests' packages, mutmut and coverage ..."
	@$(PYTHON) -m venv --clear $(MUTANTS)
	@$(MUTANTS)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(MUTANTS)/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-mutants.txt
	@$(MUTANTS)/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: setup      ## the whole story on the local Azure, narrated and checked
	@$(CLOCK) $(BIN)/python -m demo $(TOOK)

# Twice as many processes as cores, because tests wait for other processes more than they compute.
WORKERS ?= $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN))
SEEN := $(CURDIR)/build/seen
test: setup $(INFRA)/.ready $(AZ)/.ready  ## all tests, and the local Azure's answers in them against Microsoft's types
	@rm -rf $(SEEN)
	@$(CLOCK) AMLGUARD_SEEN=$(SEEN) $(BIN)/pytest -n $(WORKERS) $(TOOK)
	@$(BIN)/python -m checks.shapes $(SEEN)

# MINUTES, SEED; LONG=1 with EVENTS, SWEEPS: is anything growing?
MINUTES ?= 30
soak: setup      ## random tenants, faults and deaths for MINUTES=30, or LONG=1
	@PYTHONPATH=.:tests:tests/emulator $(BIN)/python -m reliability.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) \
	    $(if $(LONG),--long) $(if $(EVENTS),--events $(EVENTS)) $(if $(SWEEPS),--sweeps $(SWEEPS))

# AGES=note reports an old api-version in the templates and goes on; a compiler of another day knows newer ones.
AGES ?= fail
check: setup $(INFRA)/.ready     ## formatter, linter, strict types, layers, habits, generated docs, templates
	@$(CLOCK) $(MAKE) --no-print-directory -j3 check-code check-types check-templates $(TOOK)

check-code:
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@report=$$($(BIN)/lint-imports --no-cache --no-logo 2>&1) || { echo "$$report"; exit 1; }
	@$(BIN)/python -m docs.generate --check
	@$(BIN)/python -m checks.habits

check-types:
	@$(BIN)/mypy --num-workers 2
	@$(BIN)/python -m checks.shapes

check-templates:
	@$(BIN)/python -m infra.check --ages $(AGES)
	@$(BIN)/python -m checks.example

format: setup    ## formatter and safe fixes
	@$(BIN)/ruff format --quiet .
	@$(BIN)/ruff check --quiet --fix .

clients: setup $(AZ)/.ready $(SDKS)/.ready $(CUSTODIAN)/.ready  ## what Azure's own clients can do on the local Azure
	@$(CLOCK) $(BIN)/python -m clients $(TOOK)

bench: setup     ## ratios and counts
	@$(BIN)/python -m bench

# ONLY=shared/access/plan.py chooses modules, MOST=100 stops after so many, JOBS=1 judges one at a time. ANEW=1 judges all
# again, KEEP=1 notes in checks/mutants/killed.txt what was killed.
mutants: $(MUTANTS)/.ready  ## changes the code and sees whether a test notices; resumes where it stopped
	@nice -n 19 $(MUTANTS)/bin/python -m checks.mutants $(if $(ONLY),--only '$(ONLY)') $(if $(MOST),--most $(MOST)) $(if $(SLOWEST),--slowest $(SLOWEST)) $(if $(JOBS),--jobs $(JOBS)) $(if $(ANEW),--anew) $(if $(KEEP),--keep)

cover: $(MUTANTS)/.ready $(AZ)/.ready node_modules/.ready  ## branch coverage of each package, its goal, and what is missing
	@nice -n 19 $(MUTANTS)/bin/python -m checks.cover

package:         ## the deployment package, dist/amlguard.zip
	@test -n "$(PYTHON)" || { echo "amlguard needs Python 3.13 on the PATH"; exit 1; }
	@$(PYTHON) -m infra.package

snapshots: setup ## what each parameter file of infra/ would deploy, worked out anew (needs bicep)
	@$(BIN)/python -m infra.snapshots

docs: setup      ## regenerates what follows from the rules, the policy and the command line
	@$(BIN)/python -m docs.generate

pictures: setup  ## takes the pictures of the documents anew (needs a Chromium)
	@$(BIN)/python -m docs.pictures

pins: setup      ## moves the pinned packages to the newest that requirements*.in allow
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header -p 3.13 requirements.in -o requirements.txt
	@$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header -p 3.13 requirements-dev.in -o requirements-dev.txt
	@$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header -p 3.13 requirements-infra.in -o requirements-infra.txt
	@$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header -p 3.13 requirements-az.in -o requirements-az.txt
	@$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header -p 3.13 requirements-clients.in -o requirements-clients.txt
	@$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header -p 3.11 requirements-custodian.in -o requirements-custodian.txt
	@$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-header -p 3.13 requirements-mutants.in -o requirements-mutants.txt

clean:           ## removes everything that was set up or built
	rm -rf $(VENV) $(INFRA) $(AZ) $(SDKS) $(CUSTODIAN) $(MUTANTS) node_modules .mutants .run build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
