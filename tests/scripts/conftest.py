"""Scripts that run in the tests' own process draw coarser pictures: the rays of a fine one take seconds."""

import pytest

from utils.showing import rendering


@pytest.fixture(autouse=True, scope="module")
def _coarse_pictures():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "SAMPLES_PER_SIDE", 1)
        yield
