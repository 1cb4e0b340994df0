"""A training that has gone wrong: a loss or a gradient that is infinite or no number."""

import torch
from jaxtyping import Float
from torch import Tensor

from data.input_error import InputError
from utils.fitting.progress import Progress
from utils.runs.checkpoint import farthest_checkpoint
from utils.runs.processes import rank
from utils.runs.run_folders import TrainingRun


class Divergence:
    """Looks at every step's numbers; what was found is asked for now and then, for a CUDA device has to be waited for."""

    def __init__(self, device: torch.device):
        self.found = torch.zeros((), dtype=torch.bool, device=device)

    def look_at(self, number: Float[Tensor, ""]) -> None:
        """Look at a number that a step has come to, a loss or the norm of a gradient say."""
        self.found |= ~torch.isfinite(number)

    def stop_if_found(self, run: TrainingRun, progress: Progress, learning_rate: float) -> None:
        """Raise `InputError`, naming the last checkpoint, where any number so far was not finite."""
        if not self.found:
            return
        if rank() > 0:
            raise InputError(f"process {rank()}: loss or gradient became infinite; the first process says more")
        saved = farthest_checkpoint(run.checkpoint(0).parent)
        last = f"the last good checkpoint is {saved}" if saved else "no checkpoint was written yet"
        message = (
            f"loss or gradient became infinite by epoch {progress.epoch + 1}, step {progress.step}; {last}; "
            f"expected finite numbers: try a --learning_rate below {learning_rate}"
        )
        run.report(message)
        raise InputError(message)
