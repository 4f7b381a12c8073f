"""What has to be read in a header's text, because C++ has no way to ask for it: names.

Types, numbers of arguments and dimensions are left to the compiler (templates/binding.cxx).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from convert.errors import CompileFailed

_NAMESPACE = re.compile(r"^[ \t]*namespace[ \t]+((?:TMVA_)?SOFIE_\w+)\s*\{", re.MULTILINE)
_INFER = re.compile(r"\binfer\s*\(([^()]*)\)\s*(?:const\s*)?\{")
_CONSTRUCTOR = re.compile(r"\bSession\s*\(((?:\s*std::string[^(),]*,?)?(?:\s*size_t[^(),]*,?)*)\)")
_WEIGHTS = re.compile(r'\bfilename\s*=\s*"([^"]+)"')
_RETURN = re.compile(r"\breturn\s*([^;]*);")
_TENSOR = re.compile(r"[tT]ensor_(\w+)")
_OUTPUT_TABLE = re.compile(r"\boutputTensorDims\s*\{([^{}]*)\}")
_LAST_WORD = re.compile(r"(\w+)\s*(?:=[^=]*)?$")


@dataclass(frozen=True)
class Signature:
    """Names in a header.

    :param namespace: as in the header: ``SOFIE_model``.
    :param has_session: False for headers made with ``kNoSession``, whose ``infer`` is a free function.
    :param arguments: names of infer's arguments in order; tensors without their ``tensor_``.
    :param sizes: names of the sizes that Session's constructor takes, in its order (which is not infer's).
    :param weights: the weight file's name that the constructor would take, "" if there is none.
    :param outputs: names of the outputs; empty if they could not be told.
    """

    namespace: str
    has_session: bool
    arguments: tuple[str, ...]
    sizes: tuple[str, ...]
    weights: str
    outputs: tuple[str, ...]

    @property
    def name(self) -> str:
        """The model's name: the namespace without its prefix."""
        return re.sub(r"^(TMVA_)?SOFIE_", "", self.namespace)


def read(text: str, where: str = "") -> Signature:
    """Find the names in a header's text.

    Of several namespaces with an ``infer`` the last counts: it is the one that uses the others.

    :raises CompileFailed: if ``text`` is not a header of SOFIE's.
    """
    body = ""
    end = len(text)
    for start in reversed([*_NAMESPACE.finditer(text)]):
        body = text[start.end() : end]
        infer = _INFER.search(body)
        if infer is not None:
            break
        end = start.start()
    else:
        raise CompileFailed(
            "this is not a header of SOFIE's",
            where=where,
            why="no namespace SOFIE_<name> or TMVA_SOFIE_<name> with a function infer in it",
        )
    constructor = _CONSTRUCTOR.search(body)
    parameters = constructor[1] if constructor else ""
    weights = _WEIGHTS.search(body)
    return Signature(
        namespace=start[1],
        has_session=re.search(r"\bstruct\s+Session\b", body) is not None,
        arguments=tuple(n.removeprefix("tensor_") for n in _names(infer[1])),
        sizes=tuple(_names(",".join(p for p in parameters.split(",") if "size_t" in p))),
        weights=weights[1] if weights else "",
        outputs=_outputs(body[infer.end() :]),
    )


def _names(parameters: str) -> list[str]:
    found = (_LAST_WORD.search(p.strip()) for p in parameters.split(",") if p.strip())
    return [match[1] for match in found if match]


def _outputs(body: str) -> tuple[str, ...]:
    """From the table of output dimensions; in older headers from what ``infer`` returns."""
    table = _OUTPUT_TABLE.search(body)
    if table is not None:
        return tuple(re.findall(r"\bdim_(\w+)", table[1]))
    returned = _RETURN.search(body)
    if returned is None:
        return ()
    names = _TENSOR.findall(returned[1])
    if not names:  # std::vector<float> ret (tensor_y, tensor_y + 4); return ret;
        names = _TENSOR.findall("".join(re.findall(r"\bret\s*\(\s*(\w+)", body[: returned.start()])))
    return tuple(names)
