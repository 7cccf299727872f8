"""How many examples a property-based test tries, and how they are drawn."""

import os

from hypothesis import HealthCheck, Phase, settings


def any_of(default: int = 25) -> settings:
    """Return settings of a test; `SKDL_EXAMPLES` takes the place of the default."""
    return settings(
        max_examples=int(os.environ.get("SKDL_EXAMPLES", default)),
        deadline=None,
        derandomize=True,
        database=None,
        # Small as it gets by then; "explain" takes longer than the test.
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
