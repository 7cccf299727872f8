"""Write the examples as notebooks into docs/_build/notebooks and execute them.

    python docs/notebooks.py [NAME ...]

Fails where a cell does.
"""

import os
import re
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).parents[1]
BUILT = ROOT / "docs" / "_build" / "notebooks"
_SECONDS = 600  # for one cell

# What an example begins with, and the comment that a cell begins with.
_TITLE = re.compile(r'\A"""(.*?)"""\n', re.DOTALL)
_COMMENT = re.compile(r"\A((?:#.*\n)+)")


def notebook_of(text: str) -> nbformat.NotebookNode:
    """Return the notebook of a script in ``# %%`` cells."""
    title = _TITLE.match(text)
    assert title is not None, "an example begins with a docstring"
    name, _, rest = title[1].partition("\n")
    about = re.sub(r"\A=+\n", "", rest).strip().replace("``", "`")
    cells = [new_markdown_cell(f"# {name}\n\n{about}")]
    for cell in text[title.end() :].split("# %%\n")[1:]:
        comment = _COMMENT.match(cell)
        if comment is not None:
            lines = [line.removeprefix("#").strip() for line in comment[1].splitlines()]
            cells.append(new_markdown_cell("\n".join(lines)))
            cell = cell[comment.end() :]
        cells.append(new_code_cell(cell.strip()))
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def main(names: list[str]) -> None:
    """Write and execute the notebooks of these examples, or of all."""
    BUILT.mkdir(parents=True, exist_ok=True)
    os.environ["SKDL_OUTPUT"] = str(BUILT)
    for script in sorted((ROOT / "examples").glob("*.py")):
        text = script.read_text()
        is_asked = not names or script.stem in names
        if not is_asked or _TITLE.match(text) is None:  # an application, no tour
            continue
        notebook = notebook_of(text)
        client = NotebookClient(notebook, timeout=_SECONDS, kernel_name="python3")
        client.execute(cwd=str(ROOT))
        path = BUILT / f"{script.stem}.ipynb"
        nbformat.write(notebook, path)
        print(path)


if __name__ == "__main__":
    main(sys.argv[1:])
