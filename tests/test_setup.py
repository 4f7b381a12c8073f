"""The set-up: pins agree with bounds, the checks run what the README says, files are what a repository may hold."""

from __future__ import annotations

import re
import subprocess
import tomllib
from argparse import ArgumentParser
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PACKAGES = ("convert", "converters", "rewrite", "sofie_bridge")

#: Files over 400 lines, each with its reason.
LONG = {
    "fixtures/torch_hep.py": "the networks of the field, a page each, in the one file that the zoo names",
    "rewrite/graph.py": "it alone touches onnx-graphsurgeon's objects, so all that does stands there",
    "tests/converters/test_keras_files.py": "every kind of Keras file, and every way in which each can be bad",
    "tests/converters/test_torch.py": "every kind of PyTorch file, and every way in which each can be bad",
}
MOST_LINES = 400


def requirements(*, extras: bool = True) -> list[Requirement]:
    """What the project asks for, and every extra of it."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = table["optional-dependencies"].values() if extras else []
    return [Requirement(r) for r in [*table["dependencies"], *(r for extra in optional for r in extra)]]


def pins(file: str) -> dict[str, str]:
    lines = (line.split("#")[0].strip() for line in (ROOT / file).read_text(encoding="utf-8").splitlines())
    pairs = [(name, version) for line in lines if line for name, version in [line.split("==")]]
    assert [name for name, _ in pairs] == sorted({name for name, _ in pairs}), f"{file}: sorted, no name twice"
    return dict(pairs)


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_everything_asked_for_is_pinned_within_its_bounds() -> None:
    pinned = pins("constraints.txt")
    unmet = [
        str(r) for r in requirements() if not r.specifier.contains(pinned.get(normal(r.name), "0"), prereleases=True)
    ]
    assert unmet == []


def test_the_lowest_pins_are_the_lower_bounds() -> None:
    lowest = pins("constraints-lowest.txt")
    asked = [r for r in requirements() if normal(r.name) in lowest]
    bounds = {normal(r.name): s.version for r in asked for s in r.specifier if s.operator == ">="}
    different = {n: (v, bounds.get(n)) for n, v in lowest.items() if not is_release_of(v, bounds.get(n, "?"))}
    assert different == {}
    assert {normal(r.name) for r in requirements(extras=False)} <= set(lowest)


def is_release_of(version: str, bound: str) -> bool:
    """Is ``version`` the bound itself, or the bound with zeros after it?"""
    rest = version.removeprefix(bound)
    return version.startswith(bound) and set(rest) <= {".", "0"}


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_are_typed(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()


def test_ci_runs_the_test_command_of_the_readme() -> None:
    block = r"<!-- test command -->\n```sh\n(.+)\n```\n<!-- end of test command -->"
    (command,) = re.findall(block, (ROOT / "README.md").read_text(encoding="utf-8"))
    done = subprocess.run([ROOT / ".ci" / "run", "--show"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == command
    assert command.endswith("python -m pytest")


def options_of(parser: ArgumentParser) -> set[str]:
    return {name for action in parser._actions for name in action.option_strings if name.startswith("--")} - {"--help"}


def test_the_docs_name_every_option() -> None:
    from convert import cli, reverify
    from convert.batch import command

    written = {
        page: set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", (ROOT / "docs" / page).read_text(encoding="utf-8")))
        for page in ("usage.md", "batch.md")
    }
    own = options_of(cli.parser())
    assert written["usage.md"] == own | options_of(reverify.parser())
    batch = options_of(command.parser(ArgumentParser))
    assert batch - own <= written["batch.md"] <= batch | {"--nworkers", "--nthreads"}  # those are Dask's


# ---------------------------------------------------------------------------------------------------- files


@cache
def tracked() -> tuple[Path, ...]:
    """The repository's files: those that git tracks or would; in a copy without git, all but hidden and made ones."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    if (ROOT / ".git").exists():
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")
        return tuple(path for name in listed if name and (path := ROOT / name).is_file())
    made = {"out", "build", "__pycache__"}
    parts = ((path, path.relative_to(ROOT).parts) for path in ROOT.rglob("*") if path.is_file())
    return tuple(p for p, names in parts if not made & set(names) and not any(n.startswith(".") for n in names))


def test_no_file_names_a_machine() -> None:
    """No absolute path of somebody's machine, no package index."""
    folders = "home/(?!someone)[a-z]|root/|Users/[a-z]|work/|opt/pypi|opt/wheels"
    options = "(?:extra-)?index-url|find-links|trusted-host"
    pattern = re.compile(rf"(?<![\w.)\]}}*-])/(?:{folders})|--(?:{options})".encode())
    here = Path(__file__)
    found = {
        f"{path.relative_to(ROOT)}: {match[0]!r}"
        for path in tracked()
        if path != here
        for match in pattern.finditer(path.read_bytes())
    }
    assert sorted(found) == []


def test_long_files_have_a_reason() -> None:
    code = [path for path in tracked() if path.suffix in {".py", ".hxx", ".cpp"}]
    long = {str(path.relative_to(ROOT)) for path in code if path.read_bytes().count(b"\n") > MOST_LINES}
    assert long <= set(LONG)
    assert all(LONG.values())
