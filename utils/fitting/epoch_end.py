"""What is measured, said and drawn at the end of an epoch."""

import time

import torch

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.fitting.progress import Progress
from utils.predicting.prediction import best_network_strength, mean_errors
from utils.runs.processes import rank
from utils.runs.run_folders import TrainingRun
from utils.showing.film import Film
from utils.showing.plots import plot_loss_curves

DRAWN_AGAIN = 20.0  # seconds after the last pictures
LONGEST_OF_PICTURE = 320  # pixels, in TensorBoard


def measure_epoch(
    model: MeshAutoencoder,
    held_out: MeshWindows,
    kept_back: tuple[MeshWindows, float],
    progress: Progress,
    units_in_mm: float,
    device: torch.device,
) -> dict[str, float]:
    """Return the metrics of the epoch just trained: losses, and errors in the held-out frames, mm.

    The held-out frames and those kept back from the network also say how much of its answer is trusted, as
    `best_network_strength` takes them; that is set in the model.
    """
    metrics = {"epoch": float(progress.epoch + 1)}
    metrics |= {f"losses/training_{name}_mm": curve[-1][1] for name, curve in progress.curves.items()}
    if len(held_out):
        if model.linear is not None:  # without one there is nothing beside the network that could be trusted more
            model.network_strength.fill_(best_network_strength(model, held_out, *kept_back, device))
        skinned, predicted = (units_in_mm * error for error in mean_errors(model, held_out, device))
        metrics |= {"losses/held_out_mm": predicted, "losses/held_out_skinned_mm": skinned}
    return metrics


def describe_epoch(metrics: dict[str, float], num_epochs: int, network_strength: float) -> str:
    """Return an epoch's metrics in a line for people."""
    line = f"epoch {metrics['epoch']:.0f}/{num_epochs}: training {metrics['losses/training_reconstruction_mm']:.3f} mm"
    if "losses/held_out_mm" in metrics:
        skinned = metrics["losses/held_out_skinned_mm"]
        line += f", held out {metrics['losses/held_out_mm']:.3f} mm (skinned {skinned:.3f} mm)"
    if network_strength < 0.995:
        line += f", network damped to {network_strength:.2f}"
    return f"{line}, {metrics['time/epoch_seconds']:.0f} s"


def draw_epoch(
    run: TrainingRun,
    model: MeshAutoencoder,
    held_out: MeshWindows,
    progress: Progress,
    units_in_mm: float,
    device: torch.device,
    step: int,
    is_last: bool,
) -> None:
    """Draw the loss curve and, for TensorBoard at some step, the first held-out frame; in the first process alone.

    Where epochs are short, not after every one: that would take as long as they do.
    """
    drawn = run.loss_curve.stat().st_mtime if run.loss_curve.exists() else 0.0
    if rank() > 0 or (not is_last and time.time() - drawn < DRAWN_AGAIN):
        return
    if len(held_out):
        film = Film(model, held_out, units_in_mm, device)
        run.add_picture("held_out", film.still(0, LONGEST_OF_PICTURE), step)
    plot_loss_curves({run.model_type: (progress.curves, progress.history)}, run.loss_curve)
