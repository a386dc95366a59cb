PYTHON ?= python3
SEEDS ?= 1
MAX_JOBS ?= 2
# Threads of torch and several processes would fight over the same cores.
export OMP_NUM_THREADS ?= 1

# A PYTHON= out of an environment that holds a stack means that environment.
ifeq ($(origin PYTHON),file)
VENV ?= .venv
else ifeq ($(origin VENV),undefined)
VENV := $(shell $(PYTHON) requirements/environment.py where 2>/dev/null)
VENV := $(or $(VENV),.venv)
endif

UPSTREAM := .venv-upstream
PY := $(VENV)/bin/python
STAMPS := $(VENV)/.mmpaco
READY := $(STAMPS)/package $(STAMPS)/quickstart
# On a card tests run in any environment that has torch and pytest: a PYTHON=
# that is given is used as it is.
ifeq ($(origin PYTHON),file)
CUDA_PY := $(PY)
CUDA_READY := $(READY) $(STAMPS)/tests
else
CUDA_PY := $(PYTHON)
endif
CUDA_TESTS = $(sort $(shell find tests -name 'test_*_cuda.py'))

# PYTHON may be missing, or too old, where the environment exists already.
step = $(or $(shell ls -L $(1)/bin/python 2>/dev/null),$(PYTHON)) \
	requirements/environment.py --venv $(1)

.PHONY: FORCE help quickstart quickstart-seg has-data stock-configs
.PHONY: test test-slow test-cuda test-upstream lint docs clean
.DELETE_ON_ERROR:

help: ## Show this help
	@echo 'usage: make TARGET [PYTHON=interpreter] [VENV=environment]'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-15s %s\n", $$1, $$2}' \
		$(MAKEFILE_LIST)
	@echo 'PYTHON makes the environment, VENV (.venv) is its folder; either'
	@echo 'may name an existing environment, whose stack is then used.'

quickstart: $(READY) ## Train a comparison in minutes [SEEDS=1 QUICKSTART_ARGS=]
	$(PY) tools/dataset_converters/mnist5k.py
	$(PY) tools/compare.py \
		configs/baselines/cross-entropy_lenet5_mnist5k-lt.py \
		--methods cross-entropy balanced-softmax gpaco \
		--set gpaco.classifier=ImageClassifier gpaco.queue_length=0 \
		gpaco.alpha=0.01 gpaco.temperature=0.07 gpaco.projector_norm=BN1d \
		--work-dir work_dirs/quickstart --seeds $(SEEDS) $(QUICKSTART_ARGS)

quickstart-seg: has-data $(READY) ## Train segmentation on CamVid [DATA=folder SEEDS=1 QUICKSTART_ARGS=]
	$(PY) tools/dataset_converters/camvid.py '$(DATA)'
	$(PY) tools/compare.py configs/baselines/deeplabv3plus_r18_camvid.py \
		--methods cross-entropy gpaco --work-dir work_dirs/quickstart-seg \
		--seeds $(SEEDS) $(QUICKSTART_ARGS)

has-data:
	@test -n '$(DATA)' || { echo >&2 'quickstart-seg needs DATA=, the' \
		'folder of CamVid; docs/segmentation.md says how it must look.'; exit 2; }

stock-configs: $(READY) ## Put GPaCo on every stock config, half an hour [STOCK_ARGS=]
	$(PY) projects/stock_configs/apply_to_all.py \
		--report docs/stock_configs.md $(STOCK_ARGS)

test: $(READY) $(STAMPS)/tests ## Run the tests [PYTEST_ARGS=]
	$(PY) -m pytest $(PYTEST_ARGS)

test-slow: $(READY) $(STAMPS)/tests ## Run the tests that take minutes [PYTEST_ARGS=]
	$(PY) -m pytest -m slow $(PYTEST_ARGS)

# Without xdist: several processes would take turns on one card. Tests that
# need a package which is not there are skipped, and say so.
test-cuda: $(CUDA_READY) ## Run the tests that need a GPU [PYTHON= PYTEST_ARGS=]
	@$(CUDA_PY) -c 'import sys, torch; torch.cuda.is_available() or sys.exit( \
		"test-cuda needs a CUDA device, but torch %s of %s finds none" \
		% (torch.__version__, sys.executable))'
	PYTHONPATH='$(CURDIR)'$${PYTHONPATH:+:$$PYTHONPATH} \
		CUBLAS_WORKSPACE_CONFIG=:4096:8 $(CUDA_PY) -m pytest \
		-o addopts='--strict-markers --import-mode=importlib' -m cuda -rs \
		$(if $(filter tests/%,$(PYTEST_ARGS)),,$(CUDA_TESTS)) $(PYTEST_ARGS)

test-upstream: $(UPSTREAM)/.mmpaco/upstream ## Run the tests on OpenMMLab's own stack
	$(MAKE) test VENV=$(UPSTREAM)

docs: $(READY) $(STAMPS)/docs ## Build the site in docs/_build, warnings are errors
	$(PY) -m sphinx -q -W --keep-going -b html docs docs/_build
	@echo 'docs/_build/index.html'

lint: $(STAMPS)/lint ## Check style and types
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

clean: ## Remove builds and caches; environments stay
	rm -rf build dist *.egg-info docs/_build docs/configs docs/changelog.md
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find mmpaco configs projects tools tests -name __pycache__ -prune -exec rm -r {} +

$(STAMPS)/stack: requirements/onedl.txt
	@$(call step,$(VENV)) stack

# The stamp holds the checkout it was made from: another checkout that shares
# the environment must not run this one's code.
ifneq ($(shell cat $(STAMPS)/package 2>/dev/null),$(CURDIR))
$(STAMPS)/package: FORCE
endif
$(STAMPS)/package: $(STAMPS)/stack setup.py pyproject.toml mmpaco/__init__.py
	@$(call step,$(VENV)) package

$(STAMPS)/%: requirements/%.txt $(STAMPS)/stack
	@$(call step,$(VENV)) extra $*

$(UPSTREAM)/.mmpaco/upstream: $(wildcard requirements/upstream*.txt)
	@MAX_JOBS=$(MAX_JOBS) $(call step,$(UPSTREAM)) upstream
