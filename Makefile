# Everything a developer types. The newest supported Airflow lives in .venv, any other one in .venv-VERSION, and the
# newest with what one target needs beside it in .venv-EXTRA. On another Python the first two have its name at the end.
NEWEST := 3.3.2
# Its form is another page.
LAST_2 := 2.11.2
# Of these the client's tests also run with the oldest versions that pyproject.toml allows.
FLOORS := requests|tenacity|urllib3
# Extras of pyproject.toml, each with an environment of its own.
EXTRAS := bench celery docs mutation release
# About a minute: what Airflow discovers, the form, the hook, each operator, and runs of DAGs in each way.
SMOKE := tests/unit/test_compatibility.py tests/unit/test_provider_info.py tests/unit/test_hook.py \
	tests/integration/test_operators.py \
	tests/airflow/test_last_seen.py::test_templates_deliver_the_type_and_the_list \
	tests/airflow/test_last_seen.py::test_a_mapped_task_sets_several_numbers \
	tests/airflow/test_policy.py::test_the_asset_is_updated_when_something_changed_and_not_else \
	tests/airflow/test_wait.py tests/airflow/test_retry_policy.py
comma := ,
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

# What the caller has set for another Python or another Airflow must not reach those started here.
unexport $(filter AIRFLOW% PYTHON% VIRTUAL_ENV CONDA_PREFIX,$(.VARIABLES))

.DEFAULT_GOAL := help
.PHONY: $(shell sed -n 's/^\([a-z-]*\):.*## .*/\1/p' Makefile)

help: ## List these targets.
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14
	@echo "AIRFLOW=VERSION chooses another Airflow for venv and test: $(SUPPORTED)."
	@echo "PYTHON=python3.13 chooses another Python, with environments of its own."
	@echo "ARGS='...' is passed to pytest, or to the script of the target."

venv: $(VENV)/.made ## Make the virtual environment, anew when pyproject.toml or its constraints changed.

demo: $(NEWEST_VENV)/.made ## Run a DAG on a real Airflow against the emulator, show what it did, stop everything.
	@exec $(NEWEST_VENV)/bin/python -m scripts.airflow_demo

airflow: $(NEWEST_VENV)/.made ## The same, but leave Airflow's and the emulator's pages open until Ctrl-C.
	@exec $(NEWEST_VENV)/bin/python -m scripts.airflow_demo --stay

test: $(VENV)/.made ## Run the tests.
	$(VENV)/bin/python -m pytest $(ARGS)

smoke: $(VENV)/.made ## Run a few quick tests of everything that depends on the Airflow.
	$(VENV)/bin/python -m pytest $(SMOKE) $(ARGS)

matrix: $(NEWEST_VENV)/.made ## Run the tests on each supported Airflow and Python; ARGS=--smoke runs the quick ones.
	@$(NEWEST_VENV)/bin/python -m scripts.matrix --python $(PYTHON) $(ARGS)

lint: $(NEWEST_VENV)/.made ## Check style, format and types, and look for holes and for secrets.
	$(NEWEST_VENV)/bin/python -m ruff check
	$(NEWEST_VENV)/bin/python -m ruff format --check
	$(NEWEST_VENV)/bin/python -m mypy
	# B105 guesses passwords by the names of variables; the last line looks at values.
	$(NEWEST_VENV)/bin/python -m bandit -q -r airflow_provider_zapi --skip B105
	git ls-files -z | xargs -0 $(NEWEST_VENV)/bin/detect-secrets-hook --exclude-secrets '^[a-z-]+-token ?$$'

format: $(NEWEST_VENV)/.made ## Format the code and sort its imports.
	$(NEWEST_VENV)/bin/python -m ruff format
	$(NEWEST_VENV)/bin/python -m ruff check --select I --fix

floors: .venv-floors/.made ## Run the client's tests on the oldest versions of its dependencies.
	.venv-floors/bin/python -m pytest tests/unit/client tests/unit/test_properties.py tests/integration/test_faults_*.py

fuzz: $(NEWEST_VENV)/.made ## Try 100,000 random answers and parameters; ARGS='--seed 7' repeats a run.
	$(NEWEST_VENV)/bin/python -W ignore -m tests.fuzz $(ARGS)

celery-test: .venv-celery/.made ## Apply policies on PostgreSQL, Redis and two Celery workers, one of which is killed.
	.venv-celery/bin/python -m pytest tests/celery $(ARGS)

mutation: .venv-mutation/.made ## Break the client in a thousand ways, one at a time, and list what no quick test notices.
	# Anew: what was found with other tests says nothing about these.
	rm -rf mutants
	.venv-mutation/bin/mutmut run
	.venv-mutation/bin/mutmut results

simulate: $(NEWEST_VENV)/.made ## Apply 10,000 random policies to a simulated number with lag, faults and rivals; ARGS='--seed 1'.
	$(NEWEST_VENV)/bin/python -W ignore -m tests.simulation $(ARGS)

constraints: $(NEWEST_VENV)/.made ## Resolve the constraints of every supported Airflow again.
	$(NEWEST_VENV)/bin/python -m scripts.constraints

schema: $(NEWEST_VENV)/.made ## Write the JSON Schema of policies anew, from the settings table.
	$(NEWEST_VENV)/bin/python -W ignore -m airflow_provider_zapi.privacy.policy > docs/policy.schema.json

# mkdocs-material tells of its own end and of its successor unless told not to.
docs: .venv-docs/.made ## Build the documentation as a site, in site/; a warning is an error.
	NO_MKDOCS_2_WARNING=1 .venv-docs/bin/python -m mkdocs build --strict
	@echo "Open site/index.html; its search needs a server: $(PYTHON) -m http.server --bind 127.0.0.1 --directory site"

build: .venv-release/.made ## Build wheel and sdist into dist/, twice, and use them in an empty environment.
	@.venv-release/bin/python -m scripts.build

bench: .venv-bench/.made ## Run the measurements, and write their tables into docs/performance.md.
	.venv-bench/bin/python -W ignore -m benchmarks
	.venv-bench/bin/python -W ignore -m benchmarks.triggers

ui-test: $(NEWEST_VENV)/.made $(call venv_of,$(LAST_2))/.made ## Use Airflow's pages in a real browser (installed from Debian if missing).
	$(NEWEST_VENV)/bin/python -m pytest tests/ui $(ARGS)
	$(call venv_of,$(LAST_2))/bin/python -m pytest tests/ui $(ARGS)

screenshots: $(NEWEST_VENV)/.made ## The same on the newest Airflow, and take the documentation's pictures on the way.
	$(NEWEST_VENV)/bin/python -m pytest tests/ui --pictures $(ARGS)

clean: ## Delete the virtual environments, the demo's files and every cache.
	rm -rf .venv .venv-* .demo .hypothesis .mypy_cache .pytest_cache .ruff_cache build dist mutants site
	find airflow_provider_zapi example_dags scripts tests -name __pycache__ -prune -exec rm -rf {} +

# Says why a Python cannot run a version of Airflow, and what can.
supported = $(PYTHON) -c "import sys; from scripts.constraints import unsupported; \
	sys.exit(unsupported('$(1)', '%d.%d' % sys.version_info[:2]))"

.venv-floors/.made: pyproject.toml constraints/airflow-$(NEWEST).txt
	@$(call supported,$(NEWEST))
	@echo "Installing the oldest versions of the client's dependencies into .venv-floors/"
	@trap 'test -e $@ || rm -rf .venv-floors' EXIT && trap 'exit 130' INT TERM HUP && \
	$(PYTHON) -m venv --clear .venv-floors && \
	.venv-floors/bin/python -m pip install -qq uv && \
	grep -vE '^($(FLOORS))==' constraints/airflow-$(NEWEST).txt > .venv-floors/constraints.txt && \
	sed -nE 's/^  "($(FLOORS))>=(.*)",/\1==\2/p' pyproject.toml >> .venv-floors/constraints.txt && \
	.venv-floors/bin/python -m uv pip install -q --python .venv-floors -c .venv-floors/constraints.txt -e '.[dev]' && \
	touch $@

# The stamp is written last, and nothing is left of a set-up that failed or was interrupted.
# Parameters: the folder, the version of Airflow, the extras of pyproject.toml.
define venv_rule
$(1)/.made: pyproject.toml constraints/airflow-$(2).txt
	@$(call supported,$(2))
	@echo "Installing Airflow $(2) into $(1)/"
	@trap 'test -e $$@ || rm -rf $(1)' EXIT && trap 'exit 130' INT TERM HUP && \
	$(PYTHON) -m venv --clear $(1) && \
	$(1)/bin/python -m pip install -qq uv && \
	$(1)/bin/python -m uv pip install -q --python $(1) -c constraints/airflow-$(2).txt -e '.[$(3)]' && \
	touch $$@
endef
$(foreach version,$(SUPPORTED),$(eval $(call venv_rule,$(call venv_of,$(version)),$(version),dev)))
$(foreach extra,$(EXTRAS),$(eval $(call venv_rule,.venv-$(extra),$(NEWEST),dev$(comma)$(extra))))
