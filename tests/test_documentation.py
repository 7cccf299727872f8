"""Every block of Python in README and docs/ runs as pasted.

The blocks of a page run in their order in one namespace that is empty at first. A
comment before a block says what else it needs::

    <!-- needs: shap, rossmann.parquet -->   packages, and files of `SKDL_DATA`
    <!-- not run: downloads weights -->      and why

A block that needs what is not there is left out, with the test of its page marked as
skipped if no block is left. What is trained is as it stands on the page, but for the
steps of a pack, which are cut to a few.
"""

import importlib.util
import re
import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from skdl.datasets import data_home
from skdl.estimators.tables import pack_run

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Packages that do not warn of what they do themselves.
QUIET = {"PIL", "onnx", "onnxruntime", "pyarrow", "skops"}
_FENCE = re.compile(
    r"(?:^<!-- (?P<kind>needs|not run): (?P<what>[^>]*?) -->\n+)?"
    r"^```python\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Block:
    """Code of a page, and what it needs."""

    page: Path
    line: int
    code: str
    needs: list[str]
    is_run: bool

    @property
    def missing(self):
        return [name for name in self.needs if not is_there(name)]

    def run(self, namespace):
        # Lines before it, so that a traceback has the line of the page.
        code = compile("\n" * self.line + self.code, str(self.page), "exec")
        exec(code, namespace)


def is_there(name):
    if name.endswith((".parquet", ".npz", ".xz")):
        return (data_home() / name).is_file()
    return importlib.util.find_spec(name) is not None


def blocks_of(page):
    text = page.read_text()
    found = []
    for match in _FENCE.finditer(text):
        what = match["what"] or ""
        needs = re.split(r",\s*", what) if match["kind"] == "needs" else []
        line = text.count("\n", 0, match.start("code"))
        is_run = match["kind"] != "not run"
        found.append(Block(page, line, match["code"], needs, is_run))
    return found


@pytest.fixture
def short_training(monkeypatch):
    """Let packs take few steps: what is looked at is that the code runs."""
    whole = pack_run.recipe_for

    def short(*sizes, **purpose):
        return replace(whole(*sizes, **purpose), max_steps=60, first_look=30)

    monkeypatch.setattr(pack_run, "recipe_for", short)


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if blocks_of(page)],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_code_of_a_page_runs_as_pasted(page, short_training, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = [block for block in blocks_of(page) if block.is_run]
    here = [block for block in blocks if not block.missing]
    namespace = {"__name__": "__main__"}
    np.random.seed(0)
    for block in here:
        with warnings.catch_warnings():
            if set(block.needs) - QUIET:  # other packages may warn of themselves
                warnings.simplefilter("default")
            block.run(namespace)
    if blocks and not here:
        missing = sorted({name for block in blocks for name in block.missing})
        pytest.skip(f"{page.name} needs {', '.join(missing)}")


def test_every_fence_of_python_is_found():
    for page in PAGES:
        fences = re.findall(r"^\s*```py", page.read_text(), re.MULTILINE)
        assert len(fences) == len(blocks_of(page)), page
