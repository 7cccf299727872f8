"""Write the parameters and fitted attributes of estimators into their docstrings.

What a parameter does is written once: where it is declared, in the docstring of the
class of parameters that holds it (or, where a family means something else by it, of the
family). Editors and other static readers want it in the estimator itself. Run this
after changing a description, a default or an attribute; a test fails where it was not::

    python docs/docstrings.py
"""

import inspect
import re
import sys
from pathlib import Path
from typing import Any

import skdl
from skdl.estimators.core.network_estimator import NetworkEstimator

SECTION = re.compile(r"(?m)^(\S[^\n]*)\n-{3,}\n")
ENTRY = re.compile(r"(?m)^(?=\S)")
FOLLOWING = ("See Also", "Notes", "References", "Examples")


def estimators() -> list[type]:
    """Return the public estimators whose parameters are declared in several classes."""
    public = [getattr(skdl, name) for name in skdl.__all__]
    return [c for c in public if inspect.isclass(c) and issubclass(c, NetworkEstimator)]


def sections(cls: type) -> dict[str, str]:
    """Return the sections of a class's own docstring; "" is what stands before them."""
    text = inspect.cleandoc(vars(cls).get("__doc__") or "")
    pieces = SECTION.split(text)
    return {"": pieces[0], **dict(zip(pieces[1::2], pieces[2::2], strict=True))}


def entries(cls: type, section: str) -> dict[str, str]:
    """Return the entries of a section of a class's own docstring by name."""
    blocks = ENTRY.split(sections(cls).get(section, ""))
    return {block.split(" :")[0]: block.strip("\n") for block in blocks if block}


def described(cls: type, section: str) -> dict[str, str]:
    """Return what the bases of a class describe; the nearest base has the word."""
    found: dict[str, str] = {}
    for base in cls.__mro__[1:]:
        for name, block in entries(base, section).items():
            found.setdefault(name, block)
    return found


def shown(default: Any) -> str:
    """Return a default as a person would write it."""
    return f'"{default}"' if isinstance(default, str) else repr(default)


def expected_docstring(cls: type) -> str:
    """Return the docstring that an estimator should have."""
    own, about = sections(cls), described(cls, "Parameters")
    blocks = []
    for name, field in inspect.signature(cls).parameters.items():
        head, _, body = about[name].partition("\n")
        blocks.append(f"{head}, default={shown(field.default)}\n{body}")
    attributes = described(cls, "Attributes").values()
    parts = [
        own[""].rstrip(),
        "Parameters\n----------\n" + "\n".join(blocks),
        "Attributes\n----------\n" + "\n".join(attributes),
    ]
    for name in FOLLOWING:
        if name in own:
            parts.append(f"{name}\n{'-' * len(name)}\n{own[name].rstrip()}")
    return "\n\n".join(parts)


def main() -> None:
    """Write them."""
    for cls in estimators():
        path = Path(inspect.getsourcefile(cls) or "")
        source = path.read_text(encoding="utf-8")
        lines = expected_docstring(cls).splitlines()
        text = "\n".join(f"    {line}" if line else "" for line in lines).strip()
        head, _, rest = source.partition(f"class {cls.__name__}(")
        before, _, after = rest.split('"""', 2)
        written = f'{head}class {cls.__name__}({before}"""{text}\n    """{after}'
        if written != source:
            path.write_text(written, encoding="utf-8")
            sys.stdout.write(f"{path.name}\n")


if __name__ == "__main__":
    main()
