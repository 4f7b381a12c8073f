"""Who may import whom, and that no path through the packages is silent."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("convert", "converters", "rewrite", "sofie_bridge")
#: Where ctypes stands outside sofie_bridge: to flush C's own buffers before a framework's output is redirected.
FLUSHES = "converters/quiet.py:"
#: Modules of ``convert`` that everybody may import: they import nothing of ours but each other.
LEAVES = (
    "convert.attempt",
    "convert.custom",
    "convert.dimensions",
    "convert.errors",
    "convert.root_layout",
    "convert.spec",
)
FRAMEWORKS = ("torch", "tensorflow", "keras", "tf_keras", "jax", "flax")
#: Packages by the names that are imported, where those are others.
IMPORTED_AS = {"tensorflow_cpu": "tensorflow", "orbax_checkpoint": "orbax"}
#: Imported where they are installed, and in no extra: tf_keras asks for tensorflow by another name than ours (see
#: pyproject.toml), torch_geometric is only there for its users.
BESIDES = ("tf_keras", "torch_geometric")


@dataclass(frozen=True)
class Import:
    """``module`` is imported at ``where``; ``eager``: when the importing module is, not inside a function."""

    module: str
    where: str
    eager: bool


@cache
def sources(package: str) -> tuple[Path, ...]:
    return tuple(sorted((ROOT / package).rglob("*.py")))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def names(node: ast.AST) -> Iterator[str]:
    """The modules that a statement imports; ``from package import module`` is an import of package.module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.module, "imports are absolute"
        for alias in node.names:
            inner = f"{node.module}.{alias.name}"
            yield inner if is_module(inner) else node.module
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if function in {"import_module", "__import__"} and isinstance(node.args[0].value, str):
            yield node.args[0].value


def imports(path: Path) -> Iterator[Import]:
    def walk(node: ast.AST, *, eager: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            yield from (Import(name, place(path, child), eager) for name in names(child))
            lazy = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            lazy |= isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            yield from walk(child, eager=eager and not lazy)

    yield from walk(tree(path), eager=True)


def within(module: str, *packages: str) -> bool:
    return any(module == p or module.startswith(p + ".") for p in packages)


def offences(package: str, *banned: str, allowed: tuple[str, ...] = (), eager: bool = False) -> list[str]:
    """Imports in ``package`` of anything in ``banned`` that is not in ``allowed``; ``eager``: at module level only."""
    return [
        f"{found.where} imports {found.module}"
        for path in sources(package)
        for found in imports(path)
        if within(found.module, *banned) and not within(found.module, *allowed) and (found.eager or not eager)
    ]


# ---------------------------------------------------------------------------------------------------- arrows


@pytest.mark.parametrize(
    ("package", "banned"),
    [
        ("converters", ("convert", "rewrite", "sofie_bridge")),
        ("rewrite", ("convert", "converters", "sofie_bridge")),
        ("sofie_bridge", ("convert", "converters")),
    ],
)
def test_arrows(package: str, banned: tuple[str, ...]) -> None:
    assert offences(package, *banned, allowed=LEAVES) == []


@pytest.mark.parametrize("leaf", LEAVES)
def test_leaf_modules_import_nothing_of_ours(leaf: str) -> None:
    path = ROOT.joinpath(*leaf.split(".")).with_suffix(".py")
    ours = [f for f in imports(path) if within(f.module, *PACKAGES) and not within(f.module, *LEAVES)]
    assert ours == []


@pytest.mark.parametrize("package", ["convert", "converters", "rewrite"])
def test_only_sofie_bridge_knows_sofie_and_compilers(package: str) -> None:
    found = offences(package, "sofie", "ROOT", "ctypes", "ziglang", "scipy_openblas32")
    assert [o for o in found if o.removeprefix(FLUSHES) == o or not o.endswith(" ctypes")] == []


def test_only_the_graph_knows_graphsurgeon() -> None:
    found = [o for package in PACKAGES for o in offences(package, "onnx_graphsurgeon")]
    assert [o for o in found if not o.startswith("rewrite/graph.py:")] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_package_imports_a_framework_at_module_level(package: str) -> None:
    assert offences(package, *FRAMEWORKS, eager=True) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_data_is_not_imported(package: str) -> None:
    assert offences(package, "fixtures", "tests", "bench", "examples") == []


def test_importing_convert_takes_no_framework() -> None:
    heavy = (*FRAMEWORKS, "numpy", "onnx", "onnxruntime", "onnx_graphsurgeon", "sofie", "rich", "jinja2")
    code = f"import sys, convert; print(*sorted(set(sys.modules) & {set(heavy)!r}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_what_is_imported_is_asked_for() -> None:
    """Every third-party package that ours import is a dependency or in an extra."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*table["dependencies"], *(r for extra in table["optional-dependencies"].values() for r in extra)]
    packages = {re.split(r"[<>=]", r)[0].replace("-", "_") for r in asked}
    names = {IMPORTED_AS.get(package, package) for package in packages} | {*BESIDES}
    missing = [
        f"{found.where} imports {found.module}"
        for package in PACKAGES
        for path in sources(package)
        for found in imports(path)
        if found.module.split(".")[0].lower() not in {*names, *PACKAGES, *sys.stdlib_module_names}
    ]
    assert missing == []


# ------------------------------------------------------------------------------------------------- no silent path


def is_broad(handler: ast.ExceptHandler) -> bool:
    """``except:``, ``except Exception:``, and ``except BaseException:`` without a bare ``raise`` at its end."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    caught = {kind.id if isinstance(kind, ast.Name) else "" for kind in kinds if kind is not None}
    last = handler.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    return handler.type is None or "Exception" in caught or ("BaseException" in caught and not raises_again)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_broad_except(package: str) -> None:
    found = [
        place(path, node)
        for path in sources(package)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and is_broad(node)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("code", "broad"),
    [
        ("except: raise", True),
        ("except Exception: raise", True),
        ("except (OSError, Exception): pass", True),
        ("except BaseException: pass", True),
        ("except BaseException: raise", False),
        ("except (OSError, ValueError): pass", False),
    ],
)
def test_what_counts_as_broad(code: str, *, broad: bool) -> None:
    (handler,) = (n for n in ast.walk(ast.parse(f"try: pass\n{code}")) if isinstance(n, ast.ExceptHandler))
    assert is_broad(handler) is broad


@pytest.mark.parametrize("package", PACKAGES)
def test_only_the_command_line_prints(package: str) -> None:
    found = [
        place(path, node)
        for path in sources(package)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert [f for f in found if not f.startswith("convert/cli")] == []


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """``convert.errors`` draws its classes with their exit codes; the docs show that drawing."""
    from convert import errors

    drawn = re.findall(r"^[│├└─ ]*([A-Z]\w+)(?: +(\d+)(?: |$))?", str(errors.__doc__), re.MULTILINE)
    classes = {n: c for n, c in vars(errors).items() if isinstance(c, type) and issubclass(c, errors.ConvertError)}
    assert set(classes) <= {name for name, _ in drawn}
    assert {int(code) for _, code in drawn if code} == {c.exit_code for c in classes.values()}
    assert all(classes[name].exit_code == int(code) for name, code in drawn if code)
