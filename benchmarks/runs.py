"""Whole runs of the scripts: how long they take, how much memory they need, how their error falls with time."""

import csv
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

from matplotlib.figure import Figure

from utils.showing.plots import save_figure

ROOT = Path(__file__).resolve().parent.parent


def fastest(function, repeats):
    """Return the least time in seconds that a call took."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def anonymous_memory(process_id):
    """Return the bytes that a process has taken for itself (Linux): without the files it looks at through memory mapping."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:  # it has just ended
        return 0
    return max((1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("RssAnon")), default=0)


def start(script, arguments, folder, output):
    """Start a script of the project in `folder`, all that it prints going to a file; return the process."""
    command = list(map(str, [sys.executable, ROOT / script, *arguments]))
    with open(output, "w") as file:
        return subprocess.Popen(command, cwd=folder, stdout=file, stderr=file)


def run_measured(folder, script, *arguments):
    """Run a script of the project in `folder`; return the seconds that it took and the most memory at once, in bytes."""
    started, most, output = time.monotonic(), 0, folder / "output.txt"
    run = start(script, arguments, folder, output)
    while run.poll() is None:
        most = max(most, anonymous_memory(run.pid))
        time.sleep(0.05)
    if run.returncode:
        raise RuntimeError(f"{script} failed:\n{output.read_text()}")
    return time.monotonic() - started, most


def error_over_time(folder, model_type, started):
    """Return seconds since `started` and the held-out error (mm) after every epoch of a run, the skinned error first."""
    (logs,) = (folder / "logs" / model_type).iterdir()
    with open(logs / "metrics.csv", encoding="utf-8") as file:
        epochs = list(csv.DictReader(file))
    lines = [line for line in (logs / "log.txt").read_text(encoding="utf-8").splitlines() if "  epoch " in line]
    ends = [datetime.strptime(line[:19], "%Y-%m-%d %H:%M:%S").timestamp() - started for line in lines]
    errors = [float(row["losses/held_out_mm"]) for row in epochs]
    return [0.0, *ends], [float(epochs[0]["losses/held_out_skinned_mm"]), *errors]


def time_to_accuracy(folder, data, mini_batch_size, num_epochs):
    """Train variant 1 for 2 epochs and the first design for `num_epochs`, a sixth of the frames held out; return the curves."""
    arguments = ["-src", data / "dyna_sbs/obj", "-tar", data / "dyna_target/obj", "-n_cond", "3", "-num_inf", "40"]
    arguments += ["-min_batch", str(mini_batch_size)]
    runs = {
        "variant 1": ["-n_ep", "2"],
        "first design": ["-n_ep", str(num_epochs), "--coordinates", "world", "--num_embeddings", "0"],
    }
    curves = {}
    for name, flags in runs.items():
        started = time.time()
        run_measured(folder, "fit_mesh.py", *arguments, *flags, "-m_type", name.replace(" ", "_"))
        curves[name] = error_over_time(folder, name.replace(" ", "_"), started)
    return curves


def draw_time_to_accuracy(curves, path):
    """Draw the held-out error of every run against wall time, both on logarithmic axes."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for colour, (name, (seconds, errors)) in zip(("#c8102e", "#555555"), curves.items(), strict=True):
        axes.plot(seconds[1:], errors[1:], "o-", color=colour, markersize=4, label=name)
    skinned = next(iter(curves.values()))[1][0]
    axes.axhline(skinned, linestyle="--", color="black", linewidth=1, label="skinned mesh as it is")
    axes.set(xscale="log", yscale="log", xlabel="seconds since the script was started", ylabel="held-out error (mm)")
    axes.grid(which="both", alpha=0.2)
    axes.legend(frameon=False)
    save_figure(figure, path)
