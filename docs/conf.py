"""How Sphinx builds the site: `make docs`."""

import inspect
import os
import re
import warnings

import matplotlib

import skdl

matplotlib.use("agg")
# Examples, which run in their folder, write their pictures beside the built pages.
os.environ.setdefault("SKDL_OUTPUT", os.path.join("..", "docs", "_build"))
# Diagrams in the gallery link to the pages beside it.
os.environ["SKDL_DOCS"] = ".."
warnings.filterwarnings("ignore", message="X does not have valid feature names")

project = "skdl"
author = "The skdl developers"
copyright = "The skdl developers"
version = release = skdl.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "**/README.*", "auto_examples/*.ipynb"]
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]  # the gallery's settings hold a class

autosummary_generate = True
# Types are said beside each parameter; signatures tell names and defaults.
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
autodoc_default_options = {"members": True, "inherited-members": True}
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"serving\.py$",  # an application, for persistence.md
    "within_subsection_order": "FileNameSortKey",
    "reference_url": {"skdl": None},
    "abort_on_example_error": True,
    "show_memory": False,
    "download_all_examples": False,
    "min_reported_time": 1,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = "skdl"
html_theme_options = {
    "show_toc_level": 2,
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_prev_next": True,
}
html_show_sourcelink = False

# Methods inherited from scikit-learn refer to labels of its own site.
_ELSEWHERE = re.compile(r":(?:ref|term):`([^`<]+?)(?:\s*<[^>]+>)?`")


def without_foreign_references(app, what, name, obj, options, lines):
    """Replace references into scikit-learn's site by their text."""
    text = "\n".join(lines)
    # An underscore at the end of a bare name would be a reference of its own.
    plain = _ELSEWHERE.sub(lambda found: found[1].replace("_", r"\_"), text)
    lines[:] = plain.split("\n")


def with_groups(app, what, name, obj, options, lines):
    """Put what a class's parameters are for before its long list of them."""
    if what != "class" or "Parameters" not in lines:
        return
    groups = []
    for base in reversed(obj.__mro__):
        own = list(vars(base).get("__annotations__", {}))
        if own and "_constraints" in vars(base):
            title = inspect.cleandoc(base.__doc__).partition("\n")[0].rstrip(".")
            names = ", ".join(f"``{parameter}``" for parameter in own)
            groups.append(f"- {title}: {names}")
    if groups:
        place = lines.index("Parameters")
        lines[place:place] = [*groups, ""]


def setup(app):
    """Tell Sphinx of what is above."""
    app.connect("autodoc-process-docstring", with_groups, priority=100)
    app.connect("autodoc-process-docstring", without_foreign_references)
