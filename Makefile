# A fresh machine needs Python >= 3.10 and make; everything else is installed into .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

# Without bytecode each kernel that a test starts compiles NumPy anew: 10.6 s of CPU time against 4.2.
unexport PYTHONDONTWRITEBYTECODE

# MKL's OpenMP is another version than the tests want, so the notebooks have an environment of their own.
NOTEBOOKS_VENV ?= .venv-notebooks

.PHONY: help demo environment chromium test test-pure test-thorough test-matrix test-matrix-all test-vm test-browser
.PHONY: test-foreign record-foreign test-wine test-servers test-clusters test-ipython lab notebooks notebooks-save test-notebooks in-lab in-notebooks in-notebooks-save in-test-notebooks binder-check
.PHONY: package screenshots docs bench lint format clean

help:
	@echo "make demo         run the quickstart notebook in a real kernel, print what %omp_status said"
	@echo "make test         run the tests; test-pure: parsers, tables, rules and views alone, in seconds"
	@echo "make notebooks    run every notebook in a real kernel; notebooks-save saves their outputs"
	@echo "                  test-notebooks: the tests of notebook 05, with its packages"
	@echo "make binder-check run them in Binder's environment, with its limits"
	@echo "make test-thorough  run what proves once more, in another way, what cheaper tests prove"
	@echo "make test-matrix  run kernel tests on other versions of Python, IPython and ipykernel;"
	@echo "                  test-matrix-all: all that depend on a version, on every one"
	@echo "make test-vm      run the cgroup tests on cgroup v2 and in containers, in a virtual machine"
	@echo "make test-browser run the dashboard's tests in a real JupyterLab and Chromium, keep pictures"
	@echo "make test-ipython run IPython's own tests with the extension and without, and compare"
	@echo "make test-foreign compare what is recorded of macOS' and Windows' wheels with the wheels (7 GB)"
	@echo "make test-servers run a server of PyTorch and FAISS below gunicorn and pm2, before and after"
	@echo "make test-clusters ask real pools and a session of Ray (its wheel is large), limit, kill and stop workers"
	@echo "make test-wine    run a real CPython for Windows and real wheels under Wine (Debian, root)"
	@echo "make lab          open JupyterLab on the notebooks"
	@echo "make docs         write docs/findings, reference/pools.md and words.md, build the site in docs/_build/html"
	@echo "make examples     write examples/server/fixed as omp-magic env writes it"
	@echo "make screenshots  take the pictures in docs/images, in a real JupyterLab and Chromium"
	@echo "make package      build wheel and sdist, check them, run the quickstart from the wheel alone"
	@echo "make bench        measure against threadpoolctl and psutil"
	@echo "make lint         ruff and mypy"

INSTALL = @$(PYTHON) tests/checks/installing.py $(VENV)

$(BIN)/python:
	$(INSTALL)

# Each target installs what it needs and no more; what was installed before stays.
$(VENV)/.demo: pyproject.toml
	$(INSTALL) --editable '.[notebook]' ipykernel
	@touch $@

$(VENV)/.test: pyproject.toml
	$(INSTALL) --editable '.[test]'
	@touch $@

$(VENV)/.browser: pyproject.toml
	$(INSTALL) --editable '.[test,browser]'
	@touch $@

$(VENV)/.clusters: pyproject.toml
	$(INSTALL) --editable '.[test,ray]'
	@touch $@

$(VENV)/.docs: pyproject.toml
	$(INSTALL) --editable '.[test,docs]'
	@touch $@

$(VENV)/.notebooks: pyproject.toml
	$(INSTALL) --editable '.[notebook,duplicates]' ipykernel
	@touch $@

# What notebook 05 wants beside it, 500 MB. augraphy wants opencv-python, which needs libGL; the headless
# one is the same folder, and the last stays.
$(VENV)/.augmentation: $(VENV)/.notebooks
	$(INSTALL) --editable '.[notebook,duplicates,augmentation]' ipykernel
	$(INSTALL) --force-reinstall --no-deps opencv-python-headless
	@touch $@

$(VENV)/.dev: pyproject.toml
	$(INSTALL) --editable '.[test,dev]'
	@touch $@

# All of it at once, for whoever runs all the checks.
environment: $(VENV)/.all

$(VENV)/.all: pyproject.toml
	$(INSTALL) --editable '.[test,dev,docs,browser]'
	@touch $@ $(VENV)/.test $(VENV)/.dev $(VENV)/.docs $(VENV)/.browser

demo: $(VENV)/.demo
	@$(BIN)/python notebooks/run.py --show '%omp_status' notebooks/01_quickstart.ipynb
	@echo "That was notebooks/01_quickstart.ipynb in a real Jupyter kernel, and what %omp_status said there."
	@echo "To run it yourself, and five others, in JupyterLab: make lab"
	@echo "In trouble? README.md, from \"My kernel died with OMP: Error #15: what now?\" on."

# Chromium and its driver are Debian's; where they cannot be had, the tests are skipped and say so.
CHROMIUM = command -v chromedriver >/dev/null || { apt-get update -qq && \
  apt-get install -y -qq chromium chromium-driver; } || echo "Chromium cannot be installed here"

# What measures threads or time runs with nothing beside it, and all else on every core. pytest ends
# with 5 where ARGS choose none of one kind.
TEST = $(BIN)/python -m pytest
WORKERS ?= auto --maxprocesses 4
test: $(VENV)/.test
	@status=0; \
	$(TEST) -m "not alone and not thorough" -n $(WORKERS) --dist loadfile $(ARGS) \
	  || [ $$? -eq 5 ] || status=1; \
	$(TEST) -m "alone and not thorough" $(ARGS) || [ $$? -eq 5 ] || status=1; \
	exit $$status

test-thorough: $(VENV)/.browser
	@$(CHROMIUM)
	BROWSER_TESTS=1 $(TEST) -m thorough $(ARGS)

test-pure: $(VENV)/.test
	$(TEST) tests/pure $(ARGS)

# pyenv's python3.N are found only when PYENV_VERSION names their versions.
NOX = PYENV_VERSION="$$(pyenv versions --bare 2>/dev/null | grep -E '^3\.1[0-9]' | paste -sd:)" \
  UV_PYTHON_DOWNLOADS=never $(BIN)/python -m nox --no-error-on-missing-interpreters \
  --download-python never --session

test-matrix: $(VENV)/.dev
	$(NOX) matrix

test-matrix-all: $(VENV)/.dev
	$(NOX) everything

test-vm: $(VENV)/.test
	tests/vm/run.sh $(BIN)/python

# Most of it is waiting for a page.
test-browser: $(VENV)/.browser chromium
	BROWSER_TESTS=1 $(TEST) -m "not thorough" tests/browser -n $(WORKERS) $(ARGS)

chromium:
	@$(CHROMIUM)

# Some versions of IPython only: make test-ipython ARGS=9
test-ipython: | $(BIN)/python
	@$(BIN)/python tests/checks/ipython_suite.py $(ARGS)

# Wheels that cannot be had are skipped, told and counted; FOREIGN_WHEELS=FOLDER has them already.
test-foreign: $(VENV)/.test
	FOREIGN_TESTS=1 $(TEST) tests/foreign $(ARGS)

# Wine is Debian's, for 64 bits alone and without a display; what Windows' Python needs comes from pip.
WINE = command -v wineserver >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
  apt-get install -y -qq --no-install-recommends wine wine64 >/dev/null; } \
  || echo "Wine cannot be installed here: its tests are skipped"

test-wine: $(VENV)/.test
	@$(WINE)
	WINE_TESTS=1 $(TEST) tests/wine -n $(WORKERS) --dist loadfile $(ARGS)

# PyTorch, FAISS and gunicorn, and pm2 where npm is; benchmarks/servers.py measures the same servers.
test-servers: $(VENV)/.test
	SERVER_TESTS=1 $(TEST) tests/embedding $(ARGS)

# Ray's wheel is large, so that its tests are skipped elsewhere, and say so.
test-clusters: $(VENV)/.clusters
	$(TEST) tests/cluster $(ARGS)

# After a change of what is read of wheels, or of tests/data/foreign/reports.json.
record-foreign: $(VENV)/.test
	$(BIN)/python tests/foreign/record.py

lab notebooks notebooks-save test-notebooks:
	@$(MAKE) --no-print-directory VENV=$(NOTEBOOKS_VENV) in-$@

in-lab: $(VENV)/.augmentation
	$(BIN)/jupyter lab notebooks

NOTEBOOKS ?= notebooks/*.ipynb

in-notebooks: $(VENV)/$(if $(filter %/05_augmentation.ipynb,$(wildcard $(NOTEBOOKS))),.augmentation,.notebooks)
	@$(BIN)/python notebooks/run.py $(NOTEBOOKS)

in-notebooks-save: $(VENV)/.augmentation
	@$(BIN)/python notebooks/run.py --save notebooks/*.ipynb

# The tests of notebook 05, where its packages are; elsewhere they are skipped and say so.
in-test-notebooks: $(VENV)/.augmentation
	$(INSTALL) pytest pytest-rerunfailures pytest-timeout
	$(TEST) tests/kernel/test_notebook_augmentation.py $(ARGS)

binder-check: | $(BIN)/python
	@$(BIN)/python tests/checks/binder_check.py

package: | $(BIN)/python
	@$(BIN)/python tests/checks/package_check.py

.PHONY: examples
examples: $(VENV)/.test
	$(BIN)/python examples/write.py

screenshots: $(VENV)/.browser
	@$(CHROMIUM)
	$(BIN)/python docs/screenshots.py

docs: $(VENV)/.docs
	@$(BIN)/python docs/write_findings.py
	@$(BIN)/python docs/write_pools.py
	@$(BIN)/python docs/write_words.py
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: $(VENV)/.test
	@missed=0; for name in bench limits quota sweep plans workers watch threads outside guard imports distributions pulse dashboard testing starts recorder sections clusters clustercalls; do \
	  $(BIN)/python benchmarks/$$name.py || missed=1; done; exit $$missed

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(NOTEBOOKS_VENV) .venv-uv .nox dist build docs/_build .binder-check tests/.cache .pytest_cache .mypy_cache .ruff_cache .hypothesis
