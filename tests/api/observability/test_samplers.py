"""What is measured by looking now and then."""

from __future__ import annotations

import asyncio
import time

from api.observability.metrics import REGISTRY
from api.observability.samplers import sample_loop

HELD_S = 0.1


def lag() -> tuple[float, float]:
    """How often the loop was looked at, and how late it was in all."""
    samples = [
        REGISTRY.get_sample_value(f"jifen_event_loop_lag_seconds_{one}") for one in ("count", "sum")
    ]
    return samples[0] or 0.0, samples[1] or 0.0


async def test_a_loop_that_is_held_up_is_late() -> None:
    looked = asyncio.Event()

    def queued() -> int:
        looked.set()
        return 3

    count, late_s = lag()
    sampling = asyncio.create_task(sample_loop(queued, every_s=0.001))
    await asyncio.sleep(0)
    time.sleep(HELD_S)  # noqa: ASYNC251 - this holds the loop up, as a bad resolver would
    await looked.wait()
    sampling.cancel()

    after, after_s = lag()
    assert after - count == 1
    assert HELD_S * 0.9 < after_s - late_s < 5
    assert REGISTRY.get_sample_value("jifen_admission_queue") == 3
