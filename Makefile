# The short front door; noxfile.py has the environments and what runs in them. The newest supported Airflow lives in
# .venv, any other one in .venv-VERSION. On another Python these have its name at the end.
NEWEST := 3.3.2
SUPPORTED := $(patsubst constraints/airflow-%.txt,%,$(sort $(wildcard constraints/airflow-*.txt)))

AIRFLOW ?= $(NEWEST)
PYTHON ?= python3
ARGS ?=

ifneq ($(words $(AIRFLOW)) $(filter $(AIRFLOW),$(SUPPORTED)),1 $(AIRFLOW))
$(error AIRFLOW=$(AIRFLOW) is not supported here; take one of: $(SUPPORTED))
endif

python_suffix := $(if $(filter-out python3,$(notdir $(PYTHON))),-$(notdir $(PYTHON)))
venv_of = .venv$(if $(filter-out $(NEWEST),$(1)),-$(1))$(python_suffix)
VENV := $(call venv_of,$(AIRFLOW))
NEWEST_VENV := $(call venv_of,$(NEWEST))
NOX := ZAPI_PYTHON=$(PYTHON) .venv-nox/bin/nox
# Of noxfile.py; each takes ARGS.
SESSIONS := bench build celery-test constraints docs floors lint mutation screenshots ui-test
# What tests and targets use of the system, by Debian's names.
SYSTEM_PACKAGES := chromium fonts-dejavu-core fonts-liberation postgresql redis-server

# What the caller has set for another Python or another Airflow must not reach those started here.
unexport $(filter AIRFLOW% PYTHON% VIRTUAL_ENV CONDA_PREFIX,$(.VARIABLES))

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*## .*/\1/p' Makefile)

help: ## List these targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 17
	@echo "AIRFLOW=VERSION chooses another Airflow for venv and test: $(SUPPORTED)."
	@echo "PYTHON=python3.13 chooses another Python, with environments of its own."
	@echo "ARGS='...' is passed to pytest, or to the script of the target."

venv: $(VENV)/.made ## Make the virtual environment, anew when pyproject.toml or its constraints changed.

demo: $(NEWEST_VENV)/.made ## Run a DAG on a real Airflow against the emulator, show what it did, stop everything.
	@exec $(NEWEST_VENV)/bin/python -m scripts.airflow_demo

airflow: $(NEWEST_VENV)/.made ## The same, but leave Airflow's and the emulator's pages open until Ctrl-C.
	@exec $(NEWEST_VENV)/bin/python -m scripts.airflow_demo --stay

# Not by nox, so that the closing line of pytest is the last one.
test: $(VENV)/.made ## Run the tests.
	$(VENV)/bin/python -m pytest $(ARGS)

smoke: .venv-nox/.made ## Run a few quick tests of everything that depends on the Airflow.
	@$(NOX) -s smoke-$(AIRFLOW) -- $(ARGS)

matrix: .venv-nox/.made ## Run the tests on each supported Airflow and Python; ARGS=--smoke runs the quick ones.
	@$(NOX) -t $(if $(filter --smoke,$(ARGS)),smoke,test)-matrix -- $(filter-out --smoke,$(ARGS))

lint: ## Check style, format, types and which room imports which, and look for holes and for secrets.

format: $(NEWEST_VENV)/.made ## Format the code and sort its imports.
	$(NEWEST_VENV)/bin/python -m ruff format
	$(NEWEST_VENV)/bin/python -m ruff check --select I --fix

floors: ## Run the client's tests on the oldest versions of its dependencies.
celery-test: ## Apply policies on PostgreSQL, Redis and two Celery workers, one of which is killed.
mutation: ## Break the client in a thousand ways, one at a time, and list what no quick test notices.
constraints: ## Resolve the constraints of every supported Airflow again.

fuzz: $(NEWEST_VENV)/.made ## Try 100,000 random answers and parameters; ARGS='--seed 7' repeats a run.
	$(NEWEST_VENV)/bin/python -W ignore -m tests.fuzz $(ARGS)

simulate: $(NEWEST_VENV)/.made ## Apply 10,000 random policies to a simulated number with lag, faults and rivals; ARGS='--seed 1'.
	$(NEWEST_VENV)/bin/python -W ignore -m tests.simulation $(ARGS)

kills: $(NEWEST_VENV)/.made ## Kill the probe at 1,000 simulated and 200 real moments, and look whether all is put back.
	$(NEWEST_VENV)/bin/python -W ignore -m tests.killing $(ARGS)

facts: $(NEWEST_VENV)/.made ## Write the page "How Z-API behaves" anew, from the table of facts.
	$(NEWEST_VENV)/bin/python -W ignore -m scripts.docs_facts

schema: $(NEWEST_VENV)/.made ## Write the JSON Schema of policies anew, from the settings table.
	$(NEWEST_VENV)/bin/python -W ignore -m airflow_provider_zapi.privacy.policy > docs/policy.schema.json

docs: ## Build the documentation as a site, in site/; a warning is an error.
build: ## Build wheel and sdist into dist/, twice, and use them in an empty environment.
bench: ## Run the measurements, and write their tables into docs/performance.md.
ui-test: ## Use Airflow's pages in a real browser.
screenshots: ## The same on the newest Airflow, and take the documentation's pictures on the way.

$(SESSIONS): .venv-nox/.made
	@$(NOX) -s $@ -- $(ARGS)

system-packages: ## Install what some tests need from Debian: a browser, PostgreSQL, Redis. Needs root.
	@test ! -e /usr/sbin/policy-rc.d && printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d && \
	chmod +x /usr/sbin/policy-rc.d && trap 'rm /usr/sbin/policy-rc.d' EXIT; \
	export DEBIAN_FRONTEND=noninteractive; apt-get -o DPkg::Lock::Timeout=300 update -qq && \
	apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends $(SYSTEM_PACKAGES)

clean: ## Delete the virtual environments, the demo's files and every cache.
	rm -rf .venv .venv-* .demo .hypothesis .mypy_cache .nox .pytest_cache .ruff_cache build dist mutants site
	find airflow_provider_zapi example_dags scripts tests -name __pycache__ -prune -exec rm -rf {} +

# Stamps are written last, and nothing is left of a set-up that failed or was interrupted.
.venv-nox/.made: constraints/build.txt
	@python3 -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "python3 must be Python 3.11 or newer")'
	@echo "Installing nox and uv into .venv-nox/"
	@trap 'test -e $@ || rm -rf .venv-nox' EXIT && trap 'exit 130' INT TERM HUP && \
	python3 -m venv --clear .venv-nox && \
	.venv-nox/bin/python -m pip install -qq --disable-pip-version-check -c constraints/build.txt 'nox[uv]' && \
	touch $@

# Parameter: a version of Airflow.
define venv_rule
$(call venv_of,$(1))/.made: pyproject.toml constraints/airflow-$(1).txt .venv-nox/.made
	@$$(NOX) -s venv-$(1)
endef
$(foreach version,$(SUPPORTED),$(eval $(call venv_rule,$(version))))
