"""How far a training run has come, and how long it is to go on: what a checkpoint keeps beside the weights."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, optim

from data.input_error import InputError
from models.mesh_autoencoder import MeshAutoencoder
from utils.runs.checkpoint import save_checkpoint
from utils.runs.processes import combine, num_processes, rank
from utils.runs.run_folders import TrainingRun
from utils.runs.run_record import other_data

POINTS_PER_EPOCH = 25  # of the training curves


@dataclass
class TrainingOptions:
    """How long and how to train; kept in every checkpoint."""

    num_epochs: int
    learning_rate: float
    mini_batch_size: int
    num_frames: int
    num_inference_meshes: int
    epoch_save_interval: int
    seed: int


@dataclass
class Progress:
    """How far a run has come: whole epochs, steps of the next one, and what was measured on the way."""

    epoch: int = 0
    step: int = 0
    recent: dict[str, Tensor] = field(default_factory=dict)  # sums of the losses since the last point of the curves
    recent_steps: int = 0
    curves: dict[str, list[list[float]]] = field(default_factory=dict)  # points: epochs, mean loss (mm) since the last
    history: list[dict[str, float]] = field(default_factory=list)  # metrics of every epoch

    def check_step(self, total_steps: int) -> None:
        """Raise `InputError` where more steps were taken than an epoch of `total_steps` has."""
        if self.step >= total_steps:
            raise InputError(f"the checkpoint: found {self.step} steps of an epoch, expected fewer than {total_steps}")

    def add_step(self, losses: dict[str, Tensor]) -> None:
        """Count a step, and add up its losses."""
        self.step, self.recent_steps = self.step + 1, self.recent_steps + 1
        for name, loss in losses.items():
            self.recent[name] = self.recent.get(name, 0) + loss.detach()

    def point_is_due(self, total_steps: int) -> bool:
        """Say whether the step just taken ends a stretch of the curves, in an epoch of `total_steps`."""
        return self.step * POINTS_PER_EPOCH // total_steps > (self.step - 1) * POINTS_PER_EPOCH // total_steps

    def add_point(self, total_steps: int, target_scale: float, units_in_mm: float) -> dict[str, float]:
        """Add a point to the curves: the means of the recent losses, over all processes; return them by name, in mm.

        Losses are in units of `target_scale`, which is in file units, of `units_in_mm` each.
        """
        added = {}
        for name, recent in self.recent.items():
            mean = float(combine(recent)) / (num_processes() * self.recent_steps)
            added[name] = mean * target_scale * units_in_mm
            self.curves.setdefault(name, []).append([self.epoch + self.step / total_steps, added[name]])
        self.recent, self.recent_steps = {}, 0
        return added

    def end_epoch(self, metrics: dict[str, float]) -> None:
        """Keep an epoch's metrics, and begin the next one."""
        self.history.append(metrics)
        self.epoch, self.step = self.epoch + 1, 0


def stored_progress(stored: dict[str, Any], options: TrainingOptions, record: dict[str, Any]) -> Progress:
    """Return the progress in a checkpoint; raise `InputError` where these options leave nothing to do, where frames that were
    trained on would be held out from now on, and where a run stopped inside an epoch would go on with other batches. `record`
    is that of the present run."""
    progress = Progress(**stored["progress"])
    if progress.epoch >= options.num_epochs:
        raise InputError(f"--num_epochs: found {options.num_epochs}, expected more than the {progress.epoch} trained")
    for name in ("seed", "mini_batch_size", "num_frames", "num_inference_meshes"):
        found, expected = getattr(options, name), stored["options"].get(name)
        if progress.step and found != expected:
            raise InputError(
                f"--{name}: found {found}, expected {expected} as when the run was stopped inside an epoch"
            )
    if not other_data(stored["record"], record):
        check_held_out(stored, options)
    return progress


def check_held_out(stored: dict[str, Any], options: TrainingOptions) -> None:
    """Raise `InputError` where frames that a checkpoint was trained on would be held out from now on."""
    found, expected = options.num_inference_meshes, int(stored["options"].get("num_inference_meshes", 0))
    if found > expected:
        raise InputError(
            f"--num_inference_meshes: found {found}, expected at most {expected} as in the checkpoint: others were trained on"
        )


def save_progress(
    run: TrainingRun,
    model: MeshAutoencoder,
    optimizer: optim.Optimizer,
    options: TrainingOptions,
    progress: Progress,
) -> Path:
    """Write the checkpoint of the present progress, in the first process; return where it is."""
    path = run.checkpoint(progress.epoch, progress.step)
    if rank() == 0:
        save_checkpoint(
            path,
            model,
            model_type=run.model_type,
            timestamp=run.timestamp,
            record=run.record,
            options=asdict(options),
            optimizer=optimizer.state_dict(),
            progress=asdict(progress),
        )
    return path
