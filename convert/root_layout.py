"""How a model lies in a ``.root`` file: in a directory of its own, so that one file holds several.

::

    mlp/               TDirectory, named as the model is in C++
    ├── record         TObjString     JSON: what made it (versions, SOFIE's build, the report), see convert.root_file
    ├── onnx           vector<unsigned char>  the rewritten model; a weight that lies below is a reference to it
    ├── header         TObjString     the header's text as it was written; not where the header lies beside the file
    └── weights/       TDirectory
        └── tensor_x   vector<float>  what the header's Session reads, by its name there; float64 is vector<double>, ...

Nothing of it needs this program: ROOT, uproot and every other reader of ROOT files read these classes.
"""

from __future__ import annotations

#: Of the layout; a reader refuses what is newer.
FORMAT = 1

RECORD, MODEL, HEADER, WEIGHTS = "record", "onnx", "header", "weights"

#: First bytes of a ROOT file.
MAGIC = b"root"

#: Elements of ``std::vector`` by numpy dtype. ROOT has no compiled collection of ``signed char``.
ELEMENTS = {
    "float32": "float", "float64": "double",
    "int16": "short", "int32": "int", "int64": "Long64_t",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "unsigned int", "uint64": "ULong64_t",
}  # fmt: skip

#: What is missing where a ``.root`` file is to be written or read, and how to get it.
INSTALL = "pip install root==0.1a12 uproot, or pip install 'sofie-convert[root]'"
