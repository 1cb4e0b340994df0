"""The training loop: every epoch is trained, measured, drawn and saved, and can be stopped and gone on with."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn
from tqdm import tqdm

from data.input_error import InputError
from data.mesh_sequence import describe_sequences
from data.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.checkpoint import farthest_checkpoint, save_checkpoint
from utils.command_line import Interrupted, stop_signals
from utils.film import Film
from utils.linear_fit import fit_linear_part
from utils.metrics import UNITS_IN_MM
from utils.optimizer import make_optimizer, restore_optimizer, scheduled_learning_rate
from utils.plots import plot_loss_curves
from utils.prediction import best_network_strength, mean_errors
from utils.processes import check_alike, combine, in_parallel, noticed_if_another_ends, num_processes, rank
from utils.run_folders import TrainingRun
from utils.run_record import other_data
from utils.training_blocks import (
    Block,
    Samples,
    Sampling,
    plan_epoch,
    read_ahead,
    read_block,
)

LARGEST_GRADIENT = 1.0
LONGEST_OF_PICTURE = 320  # pixels, in TensorBoard
POINTS_PER_EPOCH = 25  # of the training curve

Losses = Callable[[MeshAutoencoder, Samples], dict[str, Tensor]]


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
    units: str


@dataclass
class Progress:
    """How far a run has come: whole epochs, steps of the next one, and what was measured on the way."""

    epoch: int = 0
    step: int = 0
    recent: dict[str, Tensor] = field(default_factory=dict)  # sums of the losses since the last point of the curves
    recent_steps: int = 0
    curves: dict[str, list[list[float]]] = field(default_factory=dict)  # epochs, mean loss (mm) since the last point
    history: list[dict[str, float]] = field(default_factory=list)  # metrics of every epoch


class WeightedLosses(nn.Module):
    """What a step minimises: losses of a model on samples, by name, with the samples' weight among those of all processes."""

    def __init__(self, model: MeshAutoencoder, losses: Losses):
        super().__init__()
        self.model, self.losses = model, losses

    def forward(self, samples: Samples) -> dict[str, Tensor]:
        """Return the weighted losses."""
        return {name: samples.weight * loss for name, loss in self.losses(self.model, samples).items()}


class Trainer:
    """One training run of a model: `fit` trains the epochs that are left, from the start or from a stored checkpoint.

    `sampling` says what the samples of a step are, one of `utils.training_blocks`; the sum of `losses`, one of
    `utils.losses`, is minimised: losses by name, in units of the targets' spread. `stored` is a checkpoint to go on from.
    """

    def __init__(
        self,
        model: MeshAutoencoder,
        training: MeshWindows,
        held_out: MeshWindows,
        sampling: Sampling,
        losses: Losses,
        run: TrainingRun,
        device: torch.device,
        options: TrainingOptions,
        stored: dict[str, Any] | None = None,
    ):
        self.model = model.to(device)
        self.training, self.held_out = training, held_out
        self.sampling = sampling
        self.losses: nn.Module = WeightedLosses(model, losses)
        self.run, self.device, self.options = run, device, options
        self.units_in_mm = UNITS_IN_MM[options.units]
        self.optimizer = make_optimizer(model, options.learning_rate)
        self.progress = Progress()
        self.other_data: list[str] = []
        self.went_wrong = torch.zeros((), dtype=torch.bool, device=device)  # a loss or a gradient
        if stored is not None:
            self.go_on_from(stored)

    def go_on_from(self, stored: dict[str, Any]) -> None:
        """Take optimizer and progress from a checkpoint; raise `InputError` where its batches would not come again."""
        restore_optimizer(self.optimizer, stored["optimizer"])
        self.progress = Progress(**stored["progress"])
        self.other_data = other_data(stored["record"], self.run.record)
        if self.progress.epoch >= self.options.num_epochs:
            raise InputError(
                f"--num_epochs: found {self.options.num_epochs}, expected more than the {self.progress.epoch} trained"
            )
        for name in ("seed", "mini_batch_size", "num_frames", "num_inference_meshes"):
            found, expected = getattr(self.options, name), stored["options"].get(name)
            if self.progress.step and found != expected:
                raise InputError(
                    f"--{name}: found {found}, expected {expected} as when the run was stopped inside an epoch"
                )

    def fit(self) -> None:
        """Train, measure, save and draw every epoch that is left.

        Raises `Interrupted`, with everything saved, after Ctrl-C or SIGTERM, and `InputError` where the loss is no longer
        a finite number.
        """
        counts = (
            self.progress.epoch,
            self.progress.step,
            len(self.training),
            len(self.held_out),
            len(self.model.surface.vertices),
        )
        check_alike("epochs, steps, training frames, held-out frames and vertices", counts)
        for line in describe_sequences(self.training.sequences):
            self.run.report(line)
        for name in self.other_data:
            self.run.report(f"{name}: not what this run was begun with; it goes on with other data")
        if self.progress.epoch == self.progress.step == 0:
            choice = fit_linear_part(self.model, self.training, self.device)
            if choice is not None:
                self.run.report(str(choice))
            self.optimizer = make_optimizer(self.model, self.options.learning_rate)  # the fit made the network anew
        self.losses = in_parallel(self.losses)
        with stop_signals() as stop:
            while self.progress.epoch < self.options.num_epochs:
                started = time.monotonic()
                self.train_epoch(stop)
                self.finish_epoch(time.monotonic() - started)
        self.run.report(f"loss curve in {self.run.loss_curve}, logs in {self.run.logs}")

    def plan(self) -> list[Block]:
        """Return the blocks of the present epoch."""
        options = self.options
        num_vertices = len(self.model.surface.vertices)
        vertices_per_sample = self.sampling.vertices_per_sample(num_vertices)
        return plan_epoch(
            len(self.training),
            num_vertices // vertices_per_sample,
            options.num_frames,
            max(1, round(options.mini_batch_size / vertices_per_sample)),
            options.seed,
            self.progress.epoch,
        )

    def train_epoch(self, stop: list[int]) -> None:
        """Train the rest of the present epoch, from `progress.step` on, or until a signal arrives in `stop`."""
        blocks, progress = self.plan(), self.progress
        starts = np.cumsum([0, *(block.num_steps for block in blocks)])
        total_steps = int(starts[-1])
        if progress.step >= total_steps:
            raise InputError(
                f"the checkpoint: found {progress.step} steps of an epoch, expected fewer than {total_steps}"
            )
        first = int(np.searchsorted(starts, progress.step, side="right")) - 1
        read = partial(read_block, self.model, self.training, self.sampling, device=self.device)
        reads = (partial(read, block) for block in blocks[first:])
        title = f"epoch {progress.epoch + 1}/{self.options.num_epochs}"
        with tqdm(total=total_steps, initial=progress.step, desc=title, unit="step", disable=rank() > 0) as bar:
            for number, meshes in enumerate(read_ahead(reads), first):
                steps = self.sampling.steps(self.model, meshes, blocks[number])
                for samples in steps[progress.step - starts[number] :]:
                    signal_number = int(combine(torch.tensor(max(stop, default=0)), dist.ReduceOp.MAX))
                    if signal_number:
                        self.stop(signal_number)
                    self.train_step(samples, total_steps)
                    self.extend_curves(total_steps, bar)
                    bar.update()

    def train_step(self, samples: Samples, total_steps: int) -> None:
        """Take one optimisation step, in an epoch of `total_steps`."""
        progress, options = self.progress, self.options
        step = progress.epoch * total_steps + progress.step
        for group in self.optimizer.param_groups:
            group["lr"] = scheduled_learning_rate(step, options.num_epochs * total_steps, options.learning_rate)
        losses = self.losses(samples)
        total = torch.stack(list(losses.values())).sum()
        self.optimizer.zero_grad()
        with noticed_if_another_ends():
            total.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), LARGEST_GRADIENT)
        self.optimizer.step()
        progress.step, progress.recent_steps = progress.step + 1, progress.recent_steps + 1
        for name, loss in losses.items():
            progress.recent[name] = progress.recent.get(name, 0) + loss.detach()
        self.went_wrong |= ~torch.isfinite(total.detach() + norm)

    def extend_curves(self, total_steps: int, bar: tqdm) -> None:
        """Add the means of the latest losses to the training curves, where a point of them is due."""
        progress = self.progress
        if progress.step * POINTS_PER_EPOCH // total_steps == (progress.step - 1) * POINTS_PER_EPOCH // total_steps:
            return
        self.stop_if_diverged()
        for name, recent in progress.recent.items():
            mean = float(combine(recent)) / (num_processes() * progress.recent_steps)
            in_mm = mean * float(self.model.target_scale) * self.units_in_mm
            progress.curves.setdefault(name, []).append([progress.epoch + progress.step / total_steps, in_mm])
            step = progress.epoch * total_steps + progress.step
            self.run.add_point(f"losses/training_{name}_mm", in_mm, step)
        progress.recent, progress.recent_steps = {}, 0
        bar.set_postfix_str(f"{progress.curves['reconstruction'][-1][1]:.3f} mm", refresh=False)

    def finish_epoch(self, seconds: float) -> None:
        """Measure the held-out frames, save where the save interval says so, and write logs and curve."""
        progress, options = self.progress, self.options
        row = {"epoch": float(progress.epoch + 1)}
        row |= {f"losses/training_{name}_mm": curve[-1][1] for name, curve in progress.curves.items()}
        message = f"epoch {progress.epoch + 1}/{options.num_epochs}: training {row['losses/training_reconstruction_mm']:.3f} mm"
        if len(self.held_out):
            if self.model.settings.coordinates == "local":
                self.model.network_strength.fill_(best_network_strength(self.model, self.held_out, self.device))
            skinned, predicted = (self.units_in_mm * e for e in mean_errors(self.model, self.held_out, self.device))
            row |= {"losses/held_out_mm": predicted, "losses/held_out_skinned_mm": skinned}
            message += f", held out {predicted:.3f} mm (skinned {skinned:.3f} mm)"
        if self.model.network_strength < 0.995:
            message += f", network damped to {float(self.model.network_strength):.2f}"
        progress.history.append(row | {"time/epoch_seconds": seconds})
        total_steps, progress.epoch, progress.step = progress.step, progress.epoch + 1, 0
        message += f", {seconds:.0f} s"
        # first of all: where a disk is full, a picture must not cost the weights
        if progress.epoch % options.epoch_save_interval == 0 or progress.epoch == options.num_epochs:
            message += f", saved {self.save()}"
        self.run.report(message)
        self.run.add_metrics(progress.history, progress.epoch * total_steps)
        if rank() == 0:
            if len(self.held_out):
                film = Film(self.model, self.held_out, self.units_in_mm, self.device)
                self.run.add_picture("held_out", film.still(0, LONGEST_OF_PICTURE), progress.epoch * total_steps)
            plot_loss_curves({self.run.model_type: (progress.curves, progress.history)}, self.run.loss_curve)

    def save(self) -> Path:
        """Write the checkpoint of the present progress; return where it is."""
        path = self.run.checkpoint(self.progress.epoch, self.progress.step)
        if rank() == 0:
            save_checkpoint(
                path,
                self.model,
                model_type=self.run.model_type,
                timestamp=self.run.timestamp,
                record=self.run.record,
                options=asdict(self.options),
                optimizer=self.optimizer.state_dict(),
                progress=asdict(self.progress),
            )
        return path

    def stop(self, signal_number: int) -> NoReturn:
        """Save, and raise `Interrupted` with how to go on."""
        self.stop_if_diverged()
        path = self.save()
        combine(torch.zeros(()))  # no process ends before the first one has saved: torchrun would end that, too
        message = "stopped; the same command with --load_saved_model goes on from here"
        self.run.report(f"saved {path}\n{message}")
        raise Interrupted(message, 128 + signal_number)

    def stop_if_diverged(self) -> None:
        """Raise `InputError`, naming the last checkpoint, where a loss or gradient has become infinite or no number.

        Not asked after every step: a CUDA device would have to be waited for.
        """
        if not self.went_wrong:
            return
        if rank() > 0:
            raise InputError(f"process {rank()}: loss or gradient became infinite; the first process says more")
        saved = farthest_checkpoint(self.run.checkpoint(0).parent)
        last = f"the last good checkpoint is {saved}" if saved else "no checkpoint was written yet"
        message = (
            f"loss or gradient became infinite by epoch {self.progress.epoch + 1}, step {self.progress.step}; {last}; "
            f"expected finite numbers: try a --learning_rate below {self.options.learning_rate}"
        )
        self.run.report(message)
        raise InputError(message)
