"""A bundle: one file with all that a machine without a network needs. Its form, how it is written, read and refused.

`scripts/setup` reads it before there is a `.venv`, so `form`, `archive`, `meter` and `wheels` import the standard
library and `base` alone. What gets images out of the engine and the registry, and into them, is not here: a bundle is
made by `cluster.bundle_make`, taken from by `cluster.bundle_load`, and both are chosen by `cli.bundle`.
"""
