"""Examples become pages and notebooks whose cells are the script."""

import ast
import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EXAMPLES = [
    path
    for path in sorted((ROOT / "examples").glob("*.py"))
    if path.name != "serving.py"  # an application, no tour
]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples_have_a_title_and_cells_that_say_what_they_do(path):
    text = path.read_text()
    title, line, *_ = ast.get_docstring(ast.parse(text)).splitlines()
    assert line == "=" * len(title)
    cells = text.split("\n# %%\n")[1:]
    assert len(cells) >= 2
    # What stands on the line of `# %%` itself would be lost.
    assert not [line for line in text.splitlines() if line.startswith("# %% ")]
    assert all(cell.startswith("# ") for cell in cells[1:])


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_a_notebook_has_all_the_code_of_its_example(path):
    pytest.importorskip("nbclient", reason="the extra notebooks is not installed")
    spec = importlib.util.spec_from_file_location(
        "notebooks", ROOT / "docs" / "notebooks.py"
    )
    notebooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(notebooks)
    book = notebooks.notebook_of(path.read_text())
    code = "\n".join(c.source for c in book.cells if c.cell_type == "code")
    whole = ast.parse(path.read_text()).body[1:]  # without the docstring
    assert ast.dump(ast.Module(ast.parse(code).body, [])) == ast.dump(
        ast.Module(whole, [])
    )
    assert book.cells[0].cell_type == "markdown"
