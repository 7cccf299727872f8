# `make demo` and `make test` need nothing but Python >= 3.11 and make.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

# Many CPUs have AVX2 and no AVX-512: other kernels run there, with other bits, other
# memory and no bfloat16. These variables make any x86 CPU such a one.
ifeq ($(shell uname -m),x86_64)
AVX2 = ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2
endif

.PHONY: demo test test-avx2 lint typecheck clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[examples,test]"
	touch $@

demo: $(VENV)/.installed  ## train on real data, print held-out scores, draw the curves
	$(BIN)/python examples/first_steps.py

test: lint typecheck  ## the whole test suite, then what depends on kernels with AVX2's
	$(BIN)/python -m pytest
	$(AVX2) $(BIN)/python -m pytest -m kernels

test-avx2: $(VENV)/.installed  ## the whole test suite with AVX2's kernels
	$(AVX2) $(BIN)/python -m pytest

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

typecheck: $(VENV)/.installed
	$(BIN)/mypy

clean:
	rm -rf $(VENV) output .pytest_cache .mypy_cache .ruff_cache
