"""Which partition a key belongs to: murmur2, the partitioner of Kafka's Java client, over many keys at once."""

from collections.abc import Sequence

import numpy as np
from aiokafka.partitioner import murmur2

_M = np.uint32(0x5BD1E995)
_SEED = 0x9747B28C
_POSITIVE = np.uint32(0x7FFFFFFF)


def partitions(keys: Sequence[bytes], count: int) -> list[int]:
    """Return the partition of each key among `count`."""
    lengths = set(map(len, keys))
    if len(lengths) == 1 and (length := lengths.pop()) % 4 == 0:
        return list(map(int, _hashes(keys, length) % np.uint32(count)))
    return [(murmur2(key) & 0x7FFFFFFF) % count for key in keys]


def _hashes(keys: Sequence[bytes], length: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    words = np.frombuffer(b"".join(keys), dtype="<u4").reshape(len(keys), length // 4)
    digest = np.full(len(keys), _SEED ^ length, dtype=np.uint32)
    for column in range(words.shape[1]):
        k = words[:, column] * _M
        k ^= k >> np.uint32(24)
        digest = (digest * _M) ^ (k * _M)
    digest ^= digest >> np.uint32(13)
    digest *= _M
    digest ^= digest >> np.uint32(15)
    return digest & _POSITIVE
