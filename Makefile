PYTHON ?= python3
SEEDS ?= 1
MAX_JOBS ?= 2

# A PYTHON= out of an environment that holds a stack means that environment.
# Any other interpreter, the system's above all, only serves to make .venv.
ifeq ($(origin VENV)-$(filter-out file,$(origin PYTHON)),undefined-)
VENV := .venv
else ifeq ($(origin VENV),undefined)
VENV := $(shell $(PYTHON) -m mmpaco.compat >/dev/null 2>&1 && $(PYTHON) -c \
	'import os, sys; p = sys.prefix; print(p if p != sys.base_prefix \
	or os.path.isdir(p + "/conda-meta") else "")')
VENV := $(or $(VENV),.venv)
endif

PY := $(VENV)/bin/python
STAMPS := $(VENV)/.mmpaco
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(PY) -m pip install
# Extra requirements never move what the stack stands on.
PIP_EXTRA := $(PIP) -c $(STAMPS)/constraints.txt
UPSTREAM := .venv-upstream

# Threads of torch and several processes would fight over the same cores.
export OMP_NUM_THREADS ?= 1

.PHONY: help quickstart quickstart-seg has-data test test-slow test-upstream lint clean FORCE
.DELETE_ON_ERROR:

help: ## Show this help
	@echo 'usage: make TARGET [PYTHON=interpreter] [VENV=environment]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)
	@echo 'PYTHON makes the environment, VENV (.venv) is its folder; either'
	@echo 'may name an existing environment, whose stack is then used.'

quickstart: $(STAMPS)/package $(STAMPS)/quickstart ## Train a comparison in minutes [SEEDS=1 QUICKSTART_ARGS=]
	$(PY) tools/quickstart.py --seeds $(SEEDS) $(QUICKSTART_ARGS)

quickstart-seg: has-data $(STAMPS)/package $(STAMPS)/quickstart ## Train segmentation on CamVid [DATA=folder SEEDS=1 QUICKSTART_ARGS=]
	$(PY) tools/quickstart_seg.py '$(DATA)' --seeds $(SEEDS) $(QUICKSTART_ARGS)

has-data:
	@test -n '$(DATA)' || { echo >&2 'quickstart-seg needs DATA=, the' \
		'folder of CamVid; docs/segmentation.md says how it must look.'; \
		exit 2; }

test: $(STAMPS)/package $(STAMPS)/tests $(STAMPS)/quickstart ## Run the tests [PYTEST_ARGS=]
	$(PY) -m pytest $(PYTEST_ARGS)

test-slow: $(STAMPS)/package $(STAMPS)/tests $(STAMPS)/quickstart ## Run the tests that take minutes [PYTEST_ARGS=]
	$(PY) -m pytest -m slow $(PYTEST_ARGS)

test-upstream: $(UPSTREAM)/.mmpaco/upstream ## Run the tests on OpenMMLab's own stack
	$(MAKE) test VENV=$(UPSTREAM)

lint: $(STAMPS)/lint ## Check style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

clean: ## Remove builds and caches; environments stay
	rm -rf build dist *.egg-info
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find mmpaco configs tools tests -name __pycache__ -prune -exec rm -r {} +

# An environment made here is kept at the pins. Of another one only the stack
# that already works is used.
$(STAMPS)/stack: requirements/onedl.txt
	@set -e; \
	if [ ! -e $(PY) ]; then \
		$(PYTHON) -c 'import sys; v = sys.version_info; \
			v >= (3, 10) or sys.exit("The OneDL stack needs Python 3.10 \
	or newer, but $(PYTHON) is %d.%d. Pass PYTHON=python3.11, or VENV= of \
	an environment with a stack." % v[:2])'; \
		echo "Making $(VENV); torch alone is a download of gigabytes."; \
		$(PYTHON) -m venv $(VENV); \
		mkdir -p $(STAMPS); touch $(STAMPS)/made-here; \
	fi; \
	mkdir -p $(STAMPS); \
	if [ -e $(VENV)/pyvenv.cfg ] && $(PY) -c 'import sys; \
		from mmpaco.compat import installed_stack; \
		sys.exit(installed_stack().family != "none")'; then \
		touch $(STAMPS)/made-here; \
	fi; \
	if [ -e $(STAMPS)/made-here ]; then \
		$(PIP) -r requirements/onedl.txt; \
	fi; \
	if ! $(PY) -m mmpaco.compat; then \
		echo 'Mend $(VENV) as said above, or choose another VENV=.' >&2; \
		exit 1; \
	fi
	@$(PY) -m pip list --format=freeze | grep -E \
		'^(torch|torchvision|numpy|opencv-.*|setuptools|(onedl-)?mm.*)==' \
		> $(STAMPS)/constraints.txt
	@touch $@

# The stamp holds the checkout it was made from: another checkout that shares
# the environment must not run this one's code.
ifneq ($(shell cat $(STAMPS)/package 2>/dev/null),$(CURDIR))
$(STAMPS)/package: FORCE
endif
$(STAMPS)/package: $(STAMPS)/stack setup.py pyproject.toml mmpaco/__init__.py
	$(PIP) --no-deps -e .
	@echo '$(CURDIR)' > $@

$(STAMPS)/%: requirements/%.txt $(STAMPS)/stack
	$(PIP_EXTRA) -r $<
	@touch $@

$(UPSTREAM)/.mmpaco/upstream: requirements/upstream.txt requirements/upstream-build.txt
	@set -e; \
	if [ ! -e $(UPSTREAM)/bin/python ]; then \
		$(PYTHON) -c 'import sys; v = sys.version_info; \
			(3, 9) <= v < (3, 12) or sys.exit("The OpenMMLab stack needs \
	Python 3.9 to 3.11, but $(PYTHON) is %d.%d. Pass PYTHON=python3.11." \
			% v[:2])'; \
		$(PYTHON) -m venv $(UPSTREAM); \
	fi; \
	$(UPSTREAM)/bin/python -c 'from importlib.metadata import version; \
		version("mmcv") == "2.1.0" or exit(1)' 2>/dev/null || \
		echo 'mmcv 2.1.0 is going to be compiled: about 13 minutes on 2 cores.'
	$(UPSTREAM)/bin/python -m pip install -r requirements/upstream-build.txt
	MMCV_WITH_OPS=1 MAX_JOBS=$(MAX_JOBS) $(UPSTREAM)/bin/python -m pip install \
		--no-build-isolation -r requirements/upstream.txt
	@mkdir -p $(@D)
	@touch $@
