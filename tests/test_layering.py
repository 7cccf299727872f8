"""Imports point one way: estimators -> data, networks, training."""

import ast
from pathlib import Path

import pytest

import skdl

ROOT = Path(skdl.__file__).parent

# What the modules of each room may import: of skdl itself, and of other packages.
INNER = {
    "networks": {"networks"},
    "training": {"training"},
    "data": {"data"},
    "estimators": {"estimators", "data", "networks", "training", "_version"},
    "lr_find": {"estimators", "data", "networks", "training", "display", "lr_find"},
    "persistence": {"estimators", "data", "networks", "training"},
    "display": {"display", "lr_find", "training"},  # schedules are drawn
    "datasets": {"datasets"},
    "_version": set(),
    "__init__": {"_version", "display", "estimators", "lr_find", "persistence"},
}
FOREIGN_REFUSED = {
    "networks": {"sklearn", "pandas", "polars", "numpy"},
    "training": {"sklearn", "pandas", "polars"},
    "data": {"matplotlib"},
    "estimators": {"matplotlib"},
}


def imported_modules(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            yield node.module
            if node.module == "skdl":
                yield from (f"skdl.{alias.name}" for alias in node.names)


def room_of(path):
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else path.stem


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_imports_point_one_way(path):
    room = room_of(path)
    assert room in INNER, f"{room} is a new room: say here what it may import"
    for module in imported_modules(path):
        package, _, rest = module.partition(".")
        if package == "skdl" and rest:
            assert rest.split(".")[0] in INNER[room], f"{path} imports {module}"
        else:
            assert package not in FOREIGN_REFUSED.get(room, set()), (
                f"{path} imports {module}, which {room} must not know"
            )


@pytest.mark.parametrize("room", ["data"])
def test_data_knows_no_networks_or_losses(room):
    for path in (ROOT / room).rglob("*.py"):
        found = set(imported_modules(path))
        assert not {m for m in found if m.startswith("torch.nn")}
        assert not {m for m in found if m.startswith("torch.optim")}


def test_no_module_is_longer_than_400_lines():
    for path in ROOT.rglob("*.py"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= 400, path
