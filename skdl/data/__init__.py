"""From raw input to CPU tensors; knows nothing of devices, networks or losses."""

from skdl.data.batches import ResidentBatches
from skdl.data.numeric import NumericEncoder

__all__ = ["NumericEncoder", "ResidentBatches"]
