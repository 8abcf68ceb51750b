"""Random generators of single stimuli, so that a stimulus does not depend on the others of its set."""

import zlib

import numpy as np


def named_generator(seed: int, name: str, purpose: str) -> np.random.Generator:
    """Return the random generator of one object or stimulus for one purpose, which is independent of all others."""
    # Python's own hash differs between processes.
    return np.random.default_rng([seed, zlib.crc32(name.encode()), zlib.crc32(purpose.encode())])
