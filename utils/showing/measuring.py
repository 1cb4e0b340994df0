"""Measuring all frames of what is looked at, beside the looking."""

import time
from collections.abc import Callable
from threading import Event, Thread

import numpy as np

from models.dials import Dials
from utils.showing.clip import Clip, LivePredictions

AT_REST = 0.6  # seconds without a turn of a dial


class Measuring:
    """Measures all frames of clips in a thread of its own, and again a while after dials were turned; `told` is set after each.
    What goes wrong, predictions that cannot be kept, say, is kept as `failure`."""

    def __init__(self, clips: list[Clip], told: Event):
        self.clips, self.told = clips, told
        self.turned_at = -AT_REST  # when dials were turned, on the clock of `time.perf_counter`
        self.failure: Exception | None = None

    def start(self) -> None:
        """Begin."""
        Thread(target=self.run, daemon=True).start()

    def turn(self, turned: Callable[[Dials], Dials]) -> None:
        """Turn the dials of the model that predicts, from what they were to what they are, and forget what was measured."""
        for clip in self.clips:
            if isinstance(clip.predicted, LivePredictions):
                clip.predicted.turn(turned(clip.predicted.model.dials))
                for measured in (clip.mean, clip.worst):
                    measured["predicted"][:] = np.nan
        self.turned_at = time.perf_counter()
        self.told.set()

    def run(self) -> None:
        """Measure, for ever."""
        try:
            while True:
                known = self.turned_at
                if known > time.perf_counter() - AT_REST:
                    time.sleep(AT_REST / 4)  # whoever turns them looks at one frame, which has to be fast
                    continue
                for _ in (step for clip in self.clips for step in clip.measure_all()):
                    self.told.set()
                    if self.turned_at != known:
                        break
                while self.turned_at == known:
                    time.sleep(AT_REST / 4)
        except Exception as error:
            self.failure = error
