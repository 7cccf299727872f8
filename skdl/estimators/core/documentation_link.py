"""Where the "?" of an estimator's diagram leads: to its page of the documentation.

The diagrams of notebooks are scikit-learn's, and it asks an estimator for the address.
"""

import os
from functools import cache
from importlib.metadata import PackageNotFoundError, metadata
from typing import Any

# Names the folder or address of the built site, where it is not the published one.
VARIABLE = "SKDL_DOCS"


class DocumentationLink:
    """Has scikit-learn's diagrams link to the page of a class of skdl.

    The site is the one that the environment variable `SKDL_DOCS` names, else the one
    that the installed package names as its documentation; where there is none, the
    diagram has no link. Classes of users that inherit from skdl's have none either.
    """

    _doc_link_module = "skdl"

    @property
    def _doc_link_template(self) -> str:
        site = os.environ.get(VARIABLE) or _published()
        return f"{site.rstrip('/')}/api/skdl.{{name}}.html" if site else ""

    def _doc_link_url_param_generator(self) -> dict[str, Any]:
        return {"name": type(self).__name__}


@cache
def _published() -> str:
    """Return the address of the documentation by the package's metadata, or ""."""
    try:
        known = metadata("skdl").get_all("Project-URL") or []
    except PackageNotFoundError:  # not installed, only on the path
        return ""
    pairs = (line.partition(",") for line in known)
    found = {label.strip().lower(): address.strip() for label, _, address in pairs}
    return found.get("documentation", "")
