# A fresh machine needs Python >= 3.10 and make; everything else is installed into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet

# MKL's OpenMP is another version than the tests want, so the notebooks have an environment of their own.
NOTEBOOKS_VENV ?= .venv-notebooks

.PHONY: help demo test test-matrix test-vm test-browser test-ipython lab notebooks notebooks-save
.PHONY: in-lab in-notebooks in-notebooks-save binder-check package screenshots docs bench lint format clean

help:
	@echo "make demo         run the quickstart notebook in a real kernel, print what %omp_status said"
	@echo "make test         run the tests"
	@echo "make notebooks    run every notebook in a real kernel; notebooks-save saves their outputs"
	@echo "make binder-check run them in Binder's environment, with its limits"
	@echo "make test-matrix  run the kernel tests on other versions of Python, IPython and ipykernel"
	@echo "make test-vm      run the cgroup tests on cgroup v2 and in containers, in a virtual machine"
	@echo "make test-browser run the dashboard's tests in a real JupyterLab and Chromium, keep pictures"
	@echo "make test-ipython run IPython's own tests with the extension and without, and compare"
	@echo "make lab          open JupyterLab on the notebooks"
	@echo "make docs         write docs/findings from the rules, build the site in docs/_build/html"
	@echo "make screenshots  take the pictures in docs/images, in a real JupyterLab and Chromium"
	@echo "make package      build wheel and sdist, check them, run the quickstart from the wheel alone"
	@echo "make bench        measure against threadpoolctl and psutil"
	@echo "make lint         ruff and mypy"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || \
	  { echo "Python 3.10 or later is needed; found: $$($(PYTHON) --version 2>&1). Example: make demo PYTHON=python3.12"; exit 2; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
	  echo "python -m venv does not work here; trying to install it"; \
	  apt-get update -qq && apt-get install -y -qq python3-venv && $(PYTHON) -m venv $(VENV); }

$(VENV)/.demo: pyproject.toml | $(BIN)/python
	@echo "installing omp_magic and Jupyter into $(VENV) ..."
	@$(PIP) install --editable '.[notebook]' ipykernel
	@touch $@

$(VENV)/.test: pyproject.toml | $(BIN)/python
	@echo "installing omp_magic and its test tools into $(VENV) ..."
	@$(PIP) install --editable '.[test]'
	@touch $@

$(VENV)/.browser: pyproject.toml | $(BIN)/python
	@echo "installing JupyterLab and selenium into $(VENV) ..."
	@$(PIP) install --editable '.[test,browser]'
	@touch $@

$(VENV)/.docs: pyproject.toml | $(BIN)/python
	@echo "installing Sphinx into $(VENV) ..."
	@$(PIP) install --editable '.[test,docs]'
	@touch $@

$(VENV)/.notebooks: pyproject.toml | $(BIN)/python
	@echo "installing omp_magic, Jupyter and MKL into $(VENV) ..."
	@$(PIP) install --editable '.[notebook,duplicates]' ipykernel
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@$(PIP) install --editable '.[test,dev]'
	@touch $@

demo: $(VENV)/.demo
	@$(BIN)/python notebooks/run.py --show '%omp_status' notebooks/01_quickstart.ipynb

test: $(VENV)/.test
	$(BIN)/python -m pytest $(ARGS)

# pyenv's python3.N are found only when PYENV_VERSION names their versions.
test-matrix: $(VENV)/.dev
	PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | grep -E '^3\.1[0-9]' | paste -sd:)" \
	  $(BIN)/python -m nox --session matrix --no-error-on-missing-interpreters

test-vm: $(VENV)/.test
	tests/vm/run.sh $(BIN)/python

# Chromium and its driver are Debian's; where they cannot be had, the tests are skipped and say so.
CHROMIUM = command -v chromedriver >/dev/null || { apt-get update -qq && \
  apt-get install -y -qq chromium chromium-driver; } || echo "Chromium cannot be installed here"

test-browser: $(VENV)/.browser
	@$(CHROMIUM)
	BROWSER_TESTS=1 $(BIN)/python -m pytest tests/browser $(ARGS)

# Some versions of IPython only: make test-ipython ARGS=9
test-ipython: | $(BIN)/python
	@$(BIN)/python tests/checks/ipython_suite.py $(ARGS)

lab notebooks notebooks-save:
	@$(MAKE) --no-print-directory VENV=$(NOTEBOOKS_VENV) in-$@

in-lab: $(VENV)/.notebooks
	$(BIN)/jupyter lab notebooks

in-notebooks: $(VENV)/.notebooks
	@$(BIN)/python notebooks/run.py notebooks/*.ipynb

in-notebooks-save: $(VENV)/.notebooks
	@$(BIN)/python notebooks/run.py --save notebooks/*.ipynb

binder-check: | $(BIN)/python
	@$(BIN)/python tests/checks/binder_check.py

package: | $(BIN)/python
	@$(BIN)/python tests/checks/package_check.py

screenshots: $(VENV)/.browser
	@$(CHROMIUM)
	$(BIN)/python docs/screenshots.py

docs: $(VENV)/.docs
	@$(BIN)/python docs/write_findings.py
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(VENV)/.test
	@missed=0; for name in bench limits quota threads guard imports distributions pulse dashboard; do \
	  $(BIN)/python benchmarks/$$name.py || missed=1; done; exit $$missed

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(NOTEBOOKS_VENV) .nox dist build docs/_build .binder-check tests/.cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
