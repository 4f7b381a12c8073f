"""Translations of JAX's primitives, a file each, of two kinds.

Those that ``converters.jax_decompositions.primitive`` registers say a primitive in others of JAX's; those that
``converters.jax_lowering.lowering`` registers say it in ONNX, before jax2onnx's own plugins. ``CASES`` in each file are
functions that come down to it, which a test runs against JAX.
"""
