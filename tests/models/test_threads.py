import threading

import pytest
import torch

from models import threads
from models.threads import in_ranges


@pytest.mark.parametrize("num_threads", [1, 3])
@pytest.mark.parametrize("num_rows", [0, 5, 4096, 20000])
def test_every_row_once(num_threads, num_rows):
    rows, here, before = [], set(), torch.get_num_threads()

    def loop(name, first, last):
        assert name == "loop"
        here.add(threading.get_ident())
        rows.extend(range(first, last))

    torch.set_num_threads(num_threads)
    try:
        in_ranges(loop, num_rows, "loop")
    finally:
        torch.set_num_threads(before)
    assert sorted(rows) == list(range(num_rows))
    assert len(here) <= max(1, num_rows // threads.FEWEST_ROWS)


def test_an_error_in_another_thread_is_raised(monkeypatch):
    def loop(first, last):
        if first:
            raise ValueError("of the second half")

    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    with pytest.raises(ValueError, match="second half"):
        in_ranges(loop, 10_000)
