"""``package.module:factory`` and ``file.py:factory``: the user's code that builds a network."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from convert.errors import BadModel
from converters.places import last_user_line
from converters.quiet import Attempt, reason

_ADVICE = "write --model package.module:factory or --model file.py:factory, a callable without required arguments"


def build(spec: str) -> object:
    """Import the factory and call it; a thing that cannot be called, or a finished module, is given as it is.

    :raises BadModel: the module, the factory, or what it raised.
    """
    return build_with(spec, {})[0]


def build_with(spec: str, known: Mapping[str, Any]) -> tuple[object, tuple[str, ...]]:
    """:func:`build` with arguments where the factory has them.

    :param known: values by the names of arguments, as a checkpoint has them.
    :returns: the model, and the names of those that it was made with.
    """
    home, colon, name = spec.rpartition(":")
    if not colon or not home or not name:
        raise BadModel(f"cannot read --model {spec!r}", advice=_ADVICE)
    module = import_home(home, spec)
    factory: object = module
    try:
        for part in name.split("."):
            factory = getattr(factory, part)
    except AttributeError as error:
        public = ", ".join(n for n, v in vars(module).items() if callable(v) and not n.startswith("_"))
        raise BadModel(f"{home} has no {name}", where=spec, advice=f"it has {public}" if public else _ADVICE) from error
    if not callable(factory) or (_is_model(factory) and not isinstance(factory, type)):
        return factory, ()
    with Attempt() as attempt:
        taken = _taken(factory, known)
        return factory(**taken), tuple(taken)
    place = last_user_line(attempt.error)
    where = f"{place} of {spec}" if place else spec
    raise BadModel(f"{name}() failed", where=where, why=reason(attempt.error), advice=_ADVICE) from attempt.error


def _taken(factory: Callable[..., object], known: Mapping[str, Any]) -> dict[str, Any]:
    if not known:
        return {}
    parameters = inspect.signature(factory).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return dict(known)
    return {p.name: known[p.name] for p in parameters if p.name in known and p.kind is not p.POSITIONAL_ONLY}


def _is_model(thing: object) -> bool:
    """A finished module can be called too: torch's, TensorFlow's and its functions, Flax's."""
    return any(hasattr(thing, name) for name in ("state_dict", "get_concrete_function", "trainable_variables", "sow"))


def import_home(home: str, spec: str = "") -> ModuleType:
    """Import ``package.module`` or ``file.py``.

    :param spec: what the user wrote, for messages.
    :raises BadModel: it is not there, or what it raised.
    """
    spec = spec or home
    path = Path(home).expanduser()
    is_file = path.suffix == ".py"
    if is_file and not path.is_file():
        raise BadModel(f"no such file: {home}", where=spec, advice=_ADVICE)
    with _importable(path.resolve().parent if is_file else Path.cwd()), Attempt() as attempt:
        return _from_file(path) if is_file else importlib.import_module(home)
    raise BadModel(f"{home} cannot be imported", where=spec, why=reason(attempt.error)) from attempt.error


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # dataclasses and pickles look their module up here
    try:
        spec.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(path.stem)
        if before is not None:
            sys.modules[path.stem] = before
        raise
    return module


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # the user's code may have tidied sys.path itself
            sys.path.remove(str(folder))
