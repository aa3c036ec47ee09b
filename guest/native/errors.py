# SPDX-License-Identifier: MIT
"""What stands in the way of a build. Each says what to do about it."""


class BuildError(Exception):
    """The environment lacks something, or the tree does not build; the text has the remedy."""
