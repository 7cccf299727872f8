"""Links of README and docs/ that stay inside lead to files and headings there are."""

import re
import urllib.parse
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGES.md", "CONTRIBUTING.md")),
    ROOT / "SECURITY.md",
    *sorted(
        path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts
    ),
]
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Pages that the build makes.
_BUILT = {"auto_examples/index"}


def anchors_of(page):
    """Return the addresses of a page's headings, as GitHub and MyST make them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in _HEADING.findall(text)
    }


def problem_of(page, link):
    """Return what is wrong with a link, or None."""
    if re.match(r"[a-z]+:", link):
        return None  # of another site
    path, _, anchor = urllib.parse.unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"there is no {path}"
    if anchor and target.suffix == ".md" and anchor not in anchors_of(target):
        return f"{target.name} has no heading {anchor}: {sorted(anchors_of(target))}"
    return None


def links_of(page):
    return _LINK.findall(_CODE.sub("", page.read_text()))


@pytest.mark.parametrize(
    "page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_links_of_a_page_lead_somewhere(page):
    problems = {link: problem_of(page, link) for link in links_of(page)}
    assert not {link: what for link, what in problems.items() if what}


def test_every_page_is_in_the_table_of_contents():
    docs = ROOT / "docs"
    listed = set()
    for page in docs.rglob("*.md"):
        for tree in _TOCTREE.findall(page.read_text()):
            lines = [line for line in tree.splitlines() if line and line[0] != ":"]
            folder = page.parent.relative_to(docs)
            listed |= {(folder / line).as_posix() for line in lines}
    there = {
        path.relative_to(docs).with_suffix("").as_posix()
        for path in docs.rglob("*")
        if path.suffix in {".md", ".rst"}
        and path.relative_to(docs).parts[0] not in {"_build", "api", "auto_examples"}
    }
    assert listed - _BUILT == there - {"index"}


def test_every_picture_of_docs_is_used():
    used = {Path(link).name for page in PAGES for link in links_of(page)}
    pictures = {path.name for path in (ROOT / "docs" / "images").glob("*")}
    assert pictures <= used


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A title\n[a](b.md) [c](#d) `[e](f.md)`\n[g](#a-title)\n")
    found = {link: problem_of(page, link) for link in links_of(page)}
    assert list(found) == ["b.md", "#d", "#a-title"]
    assert [bool(what) for what in found.values()] == [True, True, False]


def test_commands_that_figures_come_from_are_there():
    wrong = []
    for page in PAGES:
        text = re.sub(r"\s+", " ", page.read_text())
        for name, options in re.findall(r"python (benchmarks/\w+\.py)([^`]*)`", text):
            script = ROOT / name
            source = script.read_text() if script.is_file() else ""
            flags = re.findall(r"--[a-z-]+", options)
            absent = [flag for flag in flags if f'"{flag}"' not in source]
            if not source or absent:
                wrong.append((page.name, name, absent))
    assert not wrong


def test_every_script_that_a_page_names_is_on_the_page_of_performance():
    named = {
        script
        for page in PAGES
        for script in re.findall(r"python benchmarks/(\w+)\.py", page.read_text())
    }
    listed = (ROOT / "docs" / "performance.md").read_text()
    assert not [name for name in sorted(named) if f"benchmarks/{name}.py" not in listed]
