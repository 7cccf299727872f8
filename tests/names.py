"""What a test's parameters are called."""

import re


def named(value: object) -> str:
    """Return a value's text without its address, which differs by process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))
