"""Where a run writes: every output path of the project is named here, and the log."""

import csv
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jaxtyping import UInt8
from numpy import ndarray
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from data.safe_write import naming, remove_leftovers, write_beside
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.shot_names import shot_names
from utils.runs.folder_names import TIMESTAMP
from utils.runs.processes import rank


def checkpoint_folder(model_type: str) -> Path:
    """Return the folder that holds one folder of checkpoints per run."""
    return Path("saved_model") / model_type


def inference_folder(
    model_type: str | None, stored: dict[str, Any], checkpoint: Path, sequences: list[MeshSequence]
) -> Path:
    """Return the folder for meshes that a `stored` checkpoint predicts for some sequences: its name says which of both. The
    model type is the checkpoint's where none is given."""
    shots = shot_names(sequences)
    name = shots[0] if len(shots) == 1 else f"{shots[0]}_and_{len(shots) - 1}_more"
    run = Path("inference_meshes") / (model_type or stored["model_type"]) / stored["timestamp"]
    return run / f"{checkpoint.stem}_{name}"


def runs_by_age(model_folder: Path) -> list[Path]:
    """Return the folders of all runs of a model, the newest one first."""
    runs = [path for path in model_folder.glob("*") if TIMESTAMP.fullmatch(path.name)]
    return sorted(runs, key=lambda path: (path.name[:19], int(path.name[20:] or 1)), reverse=True)


def new_timestamp(model_type: str) -> str:
    """Return the present second as a run's name, and make its checkpoint folder, so that no other run takes the name.

    A run is never named older than those before it, even where the clock was set back. Of several processes, the first one
    alone makes a folder.
    """
    if rank() > 0:
        return ""
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    checkpoint_folder(model_type).mkdir(parents=True, exist_ok=True)
    now = max([now, *(path.name[:19] for path in runs_by_age(checkpoint_folder(model_type)))])
    for name in (now, *(f"{now}_{count}" for count in range(2, 1000))):
        try:
            (checkpoint_folder(model_type) / name).mkdir()
            return name
        except FileExistsError:
            continue
    raise FileExistsError(f"{checkpoint_folder(model_type) / now}: a thousand runs started in this second")


@dataclass
class TrainingRun:
    """The folders of one training run and what is written to its logs; of several processes, the first one alone writes.

    `record` says what the run is made with and from (`utils.runs.run_record`).
    """

    model_type: str
    timestamp: str
    record: dict[str, Any]
    events: SummaryWriter | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if rank() == 0:
            for folder in (self.logs, self.checkpoint(0).parent, self.loss_curve.parent):
                folder.mkdir(parents=True, exist_ok=True)
                remove_leftovers(folder)
            self.events = SummaryWriter(str(self.logs))

    @property
    def logs(self) -> Path:
        return Path("logs") / self.model_type / self.timestamp

    @property
    def loss_curve(self) -> Path:
        return Path("loss_curves") / self.model_type / f"{self.timestamp}.png"

    def checkpoint(self, epoch: int, step: int = 0) -> Path:
        """Return the path of the checkpoint after `epoch` whole epochs and `step` steps of the next."""
        return checkpoint_folder(self.model_type) / self.timestamp / (f"{epoch}_{step}.pt" if step else f"{epoch}.pt")

    def report(self, message: str) -> None:
        """Print a message, without disturbing a progress bar, and add it to the text log."""
        if self.events is None:
            return
        tqdm.write(message)
        path = self.logs / "log.txt"
        with naming(path), open(path, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {message}\n")

    def add_point(self, name: str, value: float, step: int) -> None:
        """Add a point to one of TensorBoard's curves."""
        if self.events is not None:
            self.events.add_scalar(name, value, step)

    def add_picture(self, name: str, picture: UInt8[ndarray, "height width 3"], step: int) -> None:
        """Add a picture to TensorBoard's."""
        if self.events is not None:
            self.events.add_image(name, picture, step, dataformats="HWC")

    def add_metrics(self, history: list[dict[str, float]], step: int) -> None:
        """Write all epochs' metrics as CSV, and the last epoch's, at optimisation step `step`, as TensorBoard events."""
        if self.events is None:
            return
        with (
            write_beside(self.logs / "metrics.csv") as partial,
            open(partial, "w", newline="", encoding="utf-8") as file,
        ):
            table = csv.DictWriter(file, fieldnames=list(dict.fromkeys(name for row in history for name in row)))
            table.writeheader()
            table.writerows(history)
        for name, value in history[-1].items():
            if name != "epoch" and "training" not in name:  # training losses have more points than one per epoch
                self.events.add_scalar(name, value, step)
        with naming(self.logs):
            self.events.flush()
