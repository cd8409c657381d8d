# Short commands for the sessions of noxfile.py, which makes the environments. The newest supported Airflow is in .venv,
# another one in .venv-VERSION. With another Python, these names end with the name of the Python.
NEWEST := 3.3.2
SUPPORTED := $(patsubst constraints/airflow-%.txt,%,$(sort $(wildcard constraints/airflow-*.txt)))

AIRFLOW ?= $(NEWEST)
PYTHON ?= python3
ARGS ?=

ifneq ($(words $(AIRFLOW)) $(filter $(AIRFLOW),$(SUPPORTED)),1 $(AIRFLOW))
$(error AIRFLOW=$(AIRFLOW) is not supported. Use one of: $(SUPPORTED))
endif

python_suffix := $(if $(filter-out python3,$(notdir $(PYTHON))),-$(notdir $(PYTHON)))
venv_of = .venv$(if $(filter-out $(NEWEST),$(1)),-$(1))$(python_suffix)
VENV := $(call venv_of,$(AIRFLOW))
NEWEST_VENV := $(call venv_of,$(NEWEST))
NOX := ZAPI_PYTHON=$(PYTHON) .venv-nox/bin/nox
# Sessions of noxfile.py that accept ARGS.
SESSIONS := bench build celery-test constraints docs floors lint mutation screenshots ui-test
# The Debian packages that tests and targets need.
SYSTEM_PACKAGES := chromium fonts-dejavu-core fonts-liberation postgresql redis-server

# Variables for another Python or another Airflow must not reach the ones started here.
unexport $(filter AIRFLOW% PYTHON% VIRTUAL_ENV CONDA_PREFIX,$(.VARIABLES))

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*## .*/\1/p' Makefile)

help: ## List these targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 17
	@echo "AIRFLOW=VERSION chooses another Airflow for venv, test and smoke: $(SUPPORTED)."
	@echo "PYTHON=python3.13 chooses another Python, which has its own environments."
	@echo "ARGS='...' is passed to pytest, or to the script of the target."

venv: $(VENV)/.made ## Make the virtual environment. Make it again if pyproject.toml or its constraints have changed.

demo: $(NEWEST_VENV)/.made ## Run a DAG on a real Airflow with the emulator, show the result, and stop everything.
	@exec $(NEWEST_VENV)/bin/python -m scripts.airflow_demo

airflow: $(NEWEST_VENV)/.made ## Do the same, but keep the pages of Airflow and the emulator open until Ctrl-C.
	@exec $(NEWEST_VENV)/bin/python -m scripts.airflow_demo --stay

# Without nox, so that the last line of the output is pytest's summary.
test: $(VENV)/.made ## Run the tests.
	$(VENV)/bin/python -m pytest $(ARGS)

smoke: .venv-nox/.made ## Run a few quick tests of everything that depends on Airflow.
	@$(NOX) -s smoke-$(AIRFLOW) -- $(ARGS)

matrix: .venv-nox/.made ## Run the tests on each supported Airflow and Python; ARGS=--smoke runs the quick ones.
	@$(NOX) -t $(if $(filter --smoke,$(ARGS)),smoke,test)-matrix -- $(filter-out --smoke,$(ARGS))

lint: ## Check style, format, types and imports, and look for security problems, secrets, typos and unclear phrases.

format: $(NEWEST_VENV)/.made ## Format the code and sort its imports.
	$(NEWEST_VENV)/bin/python -m ruff format
	$(NEWEST_VENV)/bin/python -m ruff check --select I --fix

floors: ## Run the client's tests on the oldest versions of its dependencies.
celery-test: ## Apply policies and a fleet in shards on PostgreSQL, Redis and two Celery workers, and kill one of them.
mutation: ## Change the client in a thousand ways, one at a time, and list the changes that no quick test notices.
constraints: ## Resolve the constraints of every supported Airflow.

fuzz: $(NEWEST_VENV)/.made ## Test 100,000 random answers and parameters. ARGS='--seed 7' repeats a run.
	$(NEWEST_VENV)/bin/python -W ignore -m tests.fuzz $(ARGS)

fuzz-emulator: $(NEWEST_VENV)/.made ## Send random requests to the emulator for 20 minutes. ARGS='--minutes 5 --seed 7' sends fewer.
	$(NEWEST_VENV)/bin/python -W ignore -m tests.fuzz.emulator $(ARGS)

soak-emulator: $(NEWEST_VENV)/.made ## Send 100,000 requests to the emulator, and see whether its memory stays flat.
	$(NEWEST_VENV)/bin/python -m tests.fuzz.soak $(ARGS)

simulate: $(NEWEST_VENV)/.made ## Apply 10,000 random policies to a simulated number with lag, faults and other writers. ARGS='--seed 1' repeats a run.
	$(NEWEST_VENV)/bin/python -W ignore -m tests.simulation $(ARGS)

kills: $(NEWEST_VENV)/.made ## Kill the probe at 1,000 simulated and 200 real moments, probe all combinations of switches, and check that the state is restored.
	$(NEWEST_VENV)/bin/python -W ignore -m tests.killing $(ARGS)

kills-fleet: $(NEWEST_VENV)/.made ## Kill 100 fleet runs at random moments, run them again, and count what was sent twice.
	$(NEWEST_VENV)/bin/python -W ignore -m tests.killing.fleet $(ARGS)

facts: $(NEWEST_VENV)/.made ## Generate the page "How Z-API behaves" from the table of facts.
	$(NEWEST_VENV)/bin/python -W ignore -m scripts.docs_facts

schema: $(NEWEST_VENV)/.made ## Generate the JSON Schema of policies from the settings table.
	$(NEWEST_VENV)/bin/python -W ignore -m airflow_provider_zapi.privacy.policy > docs/policy.schema.json

docs: ## Build the documentation site in site/. A warning is an error.
build: ## Build wheel and sdist in dist/ twice, and test them in an empty environment.
bench: ## Run the benchmarks, and write their tables into docs/performance.md.
ui-test: ## Test Airflow's pages in a real browser.
screenshots: ## Test the newest Airflow's pages in a real browser, and take the pictures of the documentation.

$(SESSIONS): .venv-nox/.made
	@$(NOX) -s $@ -- $(ARGS)

system-packages: ## Install Debian packages that some tests need: a browser, PostgreSQL, Redis. Needs root.
	@test ! -e /usr/sbin/policy-rc.d && printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && \
	chmod +x /usr/sbin/policy-rc.d && trap 'rm /usr/sbin/policy-rc.d' EXIT; \
	export DEBIAN_FRONTEND=noninteractive; apt-get -o DPkg::Lock::Timeout=300 update -qq && \
	apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $(SYSTEM_PACKAGES)

clean: ## Delete the virtual environments, the demo's files and every cache.
	rm -rf .venv .venv-* .demo .cache .hypothesis .mypy_cache .nox .pytest_cache .ruff_cache build dist mutants site
	find airflow_provider_zapi example_dags scripts tests -name __pycache__ -prune -exec rm -rf {} +

# The .made file is written last. A set-up that fails or is interrupted leaves nothing behind.
.venv-nox/.made: constraints/build.txt
	@python3 -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "python3 must be Python 3.11 or newer")'
	@echo "Installing nox and uv into .venv-nox/"
	@trap 'test -e $@ || rm -rf .venv-nox' EXIT && trap 'exit 130' INT TERM HUP && \
	python3 -m venv --clear .venv-nox && \
	.venv-nox/bin/python -m pip install -qq --disable-pip-version-check -c constraints/build.txt 'nox[uv]' && \
	touch $@

# The parameter is a version of Airflow.
define venv_rule
$(call venv_of,$(1))/.made: pyproject.toml constraints/airflow-$(1).txt .venv-nox/.made
	@$$(NOX) -s venv-$(1)
endef
$(foreach version,$(SUPPORTED),$(eval $(call venv_rule,$(version))))
