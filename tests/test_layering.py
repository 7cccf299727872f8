"""Imports point one way: wings -> core -> data, networks, training; no circles."""

import ast
from pathlib import Path

import pytest

import skdl

ROOT = Path(skdl.__file__).parent

# What the modules of each room may import of skdl. A room is the longest of these names
# that a module's name begins with; a room may always import itself.
INNER = {
    "randomness": set(),
    "threads": set(),
    "kernels": set(),
    "plain": set(),
    "networks": {"randomness", "kernels"},
    "training": {"randomness", "threads", "kernels"},
    "data": {"randomness", "threads"},
    "estimators": {
        "estimators.core",
        "estimators.tables",
        "estimators.pictures",
        "estimators.text",
    },
    "estimators.core": {
        "data",
        "networks",
        "training",
        "randomness",
        "plain",
        "_version",
    },
    "estimators.tables": {
        "estimators.core",
        "data",
        "networks",
        "training",
        "randomness",
    },
    # Pictures may use the dense family, and nothing else of the tables' wing.
    "estimators.pictures": {
        "estimators.core",
        "estimators.tables.dense",
        "data",
        "networks",
        "training",
        "randomness",
    },
    "estimators.text": {"estimators.core", "data", "networks", "training"},
    "display": {"estimators.core", "training"},  # a range test and schedules are drawn
    "lr_find": {"estimators.core", "display"},
    "search_spaces": {"estimators"},
    "packed_search": {"estimators.core", "estimators.tables"},
    "predict_to_parquet": {"estimators.tables", "data", "training"},
    "persistence": {"estimators", "packed_search", "training", "_version"},
    "export": {"estimators", "data", "networks", "training"},
    "distillation": {"estimators"},
    "datasets": set(),
    "_version": set(),
    "": {
        "_version",
        "datasets",
        "display",
        "distillation",
        "estimators",
        "export",
        "lr_find",
        "packed_search",
        "persistence",
        "predict_to_parquet",
        "search_spaces",
    },
}
FOREIGN_REFUSED = {
    "networks": {"sklearn", "pandas", "polars", "numpy"},
    "training": {"sklearn", "pandas", "polars"},
    "data": {"matplotlib", "torch.nn", "torch.optim"},
    "estimators": {"matplotlib"},
}


def module_name(path: Path) -> str:
    """Return a module's name below skdl, "" for skdl itself."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path.read_text(encoding="utf-8")
    for path in sorted(ROOT.rglob("*.py"))
}


def imported(source: str) -> set[str]:
    """Return the full names that a source imports, inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imported_modules(source: str, modules: set[str]) -> set[str]:
    """Return which of skdl's modules a source imports."""
    found = set()
    for name in imported(source):
        package, _, rest = name.partition(".")
        if package != "skdl":
            continue
        while rest not in modules:  # a name inside a module
            rest = rest.rpartition(".")[0]
        found.add(rest)
    return found


def is_inside(name: str, room: str) -> bool:
    return name == room or name.startswith(room + ".")


def room_of(module: str) -> str:
    rooms = [room for room in INNER if room and is_inside(module, room)]
    assert rooms or not module, f"{module} is a new room: say here what it may import"
    return max(rooms, key=len, default="")


def misdirected(module: str, source: str, modules: set[str]) -> list[str]:
    """Return what a module imports against the arrows."""
    room = room_of(module)
    allowed = INNER[room] | {room}
    inner = [
        found
        for found in imported_modules(source, modules)
        if not any(is_inside(found, a) if a else found == a for a in allowed)
    ]
    refused = set().union(
        *(names for r, names in FOREIGN_REFUSED.items() if is_inside(module, r))
    )
    foreign = [
        name for name in imported(source) if any(is_inside(name, r) for r in refused)
    ]
    return inner + foreign


def circles(sources: dict[str, str]) -> list[set[str]]:
    """Return groups of modules that import each other in a circle."""
    modules = set(sources)
    arrows = {
        module: imported_modules(source, modules) - {module}
        for module, source in sources.items()
    }
    reached: dict[str, set[str]] = {}
    for start in sources:
        seen: set[str] = set()
        waiting = list(arrows[start])
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting += arrows[module]
        reached[start] = seen
    found = {
        frozenset(b for b in reached[a] if a in reached[b])
        for a in sources
        if a in reached[a]
    }
    return [set(circle) for circle in found]


@pytest.mark.parametrize("module", SOURCES, ids=lambda m: m or "skdl")
def test_imports_point_one_way(module):
    assert misdirected(module, SOURCES[module], set(SOURCES)) == []


def test_no_modules_import_each_other_in_a_circle():
    assert circles(SOURCES) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("estimators.text.uses", "from skdl.estimators.tables.dense import x"),
        ("estimators.tables.dense", "from skdl.estimators.pictures.inputs import x"),
        ("estimators.pictures.image", "from skdl.estimators.tables.embedding import x"),
        ("estimators.core.base", "def f():\n    import skdl.estimators.text.uses"),
        ("training.loop", "from sklearn.base import clone"),
        ("training.text.windows", "import pandas as pd"),
        ("networks.mlp", "import numpy"),
        ("data.table", "from torch import nn"),
        ("datasets.tables", "from skdl.data.table import Table"),
    ],
)
def test_an_import_against_the_arrows_is_seen(module, line):
    assert misdirected(module, SOURCES[module] + "\n" + line, set(SOURCES))


def test_a_circle_is_seen_even_inside_functions():
    line = "\ndef f():\n    from skdl.lr_find import lr_find\n"
    made = {**SOURCES, "display.lr_find": SOURCES["display.lr_find"] + line}
    assert {"lr_find", "display.lr_find"} <= set().union(*circles(made))


@pytest.mark.parametrize("module", SOURCES, ids=lambda m: m or "skdl")
def test_modules_say_what_they_are_for_and_stay_short(module):
    first = ast.get_docstring(ast.parse(SOURCES[module])) or ""
    assert first.partition("\n")[0].endswith((".", ":"))
    assert len(SOURCES[module].splitlines()) <= 400
