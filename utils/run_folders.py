"""Where a run writes: every output path of the project, and the log, is named here."""

import csv
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from data.input_error import InputError
from data.safe_write import write_beside
from utils.processes import rank

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d(_\d+)?")


def checkpoint_folder(model_type: str) -> Path:
    """Return the folder that holds one folder of checkpoints per run."""
    return Path("saved_model") / model_type


def inference_folder(model_type: str, timestamp: str) -> Path:
    """Return the folder for meshes predicted by the model of one run."""
    if not TIMESTAMP.fullmatch(timestamp):
        raise InputError(f"timestamp in the checkpoint: found {timestamp!r}, expected one like 2024-01-31_12-00-00")
    return Path("inference_meshes") / model_type / timestamp


def new_timestamp(model_type: str) -> str:
    """Return the present second as a run's name, and make its checkpoint folder, so that no other run takes it.

    Of several processes, the first one alone makes a folder.
    """
    if rank() > 0:
        return ""
    now = datetime.now().strftime("%Y-%m-%d_%H-%M-%S")
    checkpoint_folder(model_type).mkdir(parents=True, exist_ok=True)
    for name in (now, *(f"{now}_{count}" for count in range(2, 1000))):
        try:
            (checkpoint_folder(model_type) / name).mkdir()
            return name
        except FileExistsError:
            continue
    raise FileExistsError(f"{checkpoint_folder(model_type) / now}: a thousand runs started in this second")


@dataclass
class TrainingRun:
    """The folders of one training run, and what is written to its logs, by the first of its processes alone."""

    model_type: str
    timestamp: str
    events: SummaryWriter | None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if rank() == 0:
            self.logs.mkdir(parents=True, exist_ok=True)
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
        with open(self.logs / "log.txt", "a", encoding="utf-8") as log:
            log.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}  {message}\n")

    def add_point(self, name: str, value: float, step: int) -> None:
        """Add a point to one of TensorBoard's curves."""
        if self.events is not None:
            self.events.add_scalar(name, value, step)

    def record(self, history: list[dict[str, float]], step: int) -> None:
        """Write all epochs' metrics as CSV, and the last epoch's, at optimisation step `step`, as TensorBoard events."""
        if self.events is None:
            return
        with (
            write_beside(self.logs / "metrics.csv") as partial,
            open(partial, "w", newline="", encoding="utf-8") as file,
        ):
            table = csv.DictWriter(file, fieldnames=list(history[-1]))
            table.writeheader()
            table.writerows(history)
        for name, value in history[-1].items():
            if name != "epoch" and "training" not in name:  # training losses have more points than one per epoch
                self.events.add_scalar(name, value, step)
        self.events.flush()
