"""The kernels, an operator a file, each with its C++ beside it: see :mod:`sofie_bridge.stages.library`."""
