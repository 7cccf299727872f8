"""Numbers of 64 bits that look as if they were drawn."""

import numpy as np

# Odd, and of no pattern: the golden ratio in bits.
GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mixed(keys: np.ndarray) -> np.ndarray:
    """Mix the bits of keys, (n,) uint64, in place (Steele et al. 2014, SplitMix).

    Parameters
    ----------
    keys : ndarray of uint64
        Different ones stay different.

    Returns
    -------
    ndarray of uint64
        The same array.

    Examples
    --------
    >>> import numpy as np
    >>> mixed(np.array([0, 1], dtype=np.uint64))
    array([                  0, 6238072747940578789], dtype=uint64)
    """
    keys ^= keys >> np.uint64(30)
    keys *= np.uint64(0xBF58476D1CE4E5B9)
    keys ^= keys >> np.uint64(27)
    keys *= np.uint64(0x94D049BB133111EB)
    keys ^= keys >> np.uint64(31)
    return keys
