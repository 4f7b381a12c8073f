"""StableHLO, as ``jax.export`` writes it, done again with the functions of ``jax.lax``.

One file a family of operations; each function has the name that the dialect gives the operation.
"""
