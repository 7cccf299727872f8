# `make demo` and `make test` need nothing but Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# Many CPUs have AVX2 and no AVX-512: other kernels run there, with other bits, other
# memory and no bfloat16. These variables make any x86 CPU such a one.
ifeq ($(shell uname -m),x86_64)
AVX2 = ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2
endif

# Two processes of tests, each with one thread: those of two would wait for each other.
# What depends on kernels is run once more in one process, with as many as there are.
PYTEST = OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: demo test test-avx2 lint typecheck docs site notebooks clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[examples,test]"
	touch $@

demo: $(VENV)/.installed  ## train on real data, print held-out scores, draw the curves
	$(BIN)/python examples/first_steps.py

test: lint typecheck  ## the whole test suite, then what depends on kernels with AVX2's
	$(PYTEST)
	$(AVX2) $(BIN)/python -m pytest -m kernels

test-avx2: $(VENV)/.installed  ## the whole test suite with AVX2's kernels
	$(AVX2) $(PYTEST)

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs,notebooks]"
	touch $@

docs: $(VENV)/.docs  ## the site in docs/_build/html; warnings are errors
	cd docs && $(abspath $(BIN))/python -m sphinx -q -W --keep-going -b html -d _build/doctrees . _build/html

site: docs  ## the site, looked at in a headless Chromium
	$(BIN)/python -m pytest -m site tests/site

notebooks: $(VENV)/.docs  ## the examples as executed notebooks in docs/_build/notebooks
	$(BIN)/python docs/notebooks.py

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.installed
	$(BIN)/mypy

clean:
	rm -rf $(VENV) output docs/_build docs/api docs/auto_examples .pytest_cache .mypy_cache .ruff_cache
