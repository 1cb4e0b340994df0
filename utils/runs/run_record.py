"""What a checkpoint or an export was made with and from, so that its numbers can be reproduced."""

import argparse
import json
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data.sequences.mesh_sequence import MeshSequence

PROJECT = Path(__file__).resolve().parents[2]


def project_commit() -> str:
    """Return the project's git commit, with a note where files differ from it; "unknown" where there is no git."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(PROJECT), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not (PROJECT / ".git").exists():
            return "unknown"
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "HEAD") + (", with changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def describe_run(args: argparse.Namespace, sequences: list[MeshSequence]) -> dict[str, Any]:
    """Return all flags, defaults among them, the data with a fingerprint each, the project's commit and versions."""
    return {
        "commit": project_commit(),
        "versions": {
            "python": platform.python_version(),
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "platform": platform.platform(),
        },
        "flags": json.loads(json.dumps(vars(args), default=str)),
        "data": [
            {
                "name": each.name,
                "frames": [int(each.frame_numbers[0]), int(each.frame_numbers[-1])],
                "frames are apart": each.step,
                "scans": len(each.scanned),
                "scans left out": 0 if each.left_out is None else int(each.left_out.sum()),
                "vertices of scans guessed": sum(len(vertices) for vertices, _ in each.repairs.values()),
                "fingerprints": each.fingerprints,
            }
            for each in sequences
        ],
    }


def data_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a record says of each of its data; nothing of what is no record of ours."""
    data = record.get("data")
    return [each for each in (data if isinstance(data, list) else []) if isinstance(each, dict)]


def scans_trained_on(record: dict[str, Any]) -> int:
    """Return about how many scans a training has seen, from its record; of an early one, that of every frame."""
    count = 0
    for each in data_of(record):
        first, last = each.get("frames", [0, 0])
        count += each.get("scans", (last - first) // each.get("frames are apart", 1) + 1) - each.get(
            "scans left out", 0
        )
    return count


def describe_left_out(record: dict[str, Any]) -> list[str]:
    """Return a line for each of a training's data of which something was not trained on, from its record."""
    lines = []
    for each in data_of(record):
        scans, vertices = each.get("scans left out", 0), each.get("vertices of scans guessed", 0)
        if scans or vertices:
            lines.append(
                f"trained on {each.get('name')} without {scans} scans that do not belong; {vertices} vertices guessed"
            )
    return lines


def other_data(stored: dict[str, Any], present: dict[str, Any]) -> list[str]:
    """Return a line for each of the present data whose fingerprints a stored record does not have."""
    known = [each.get("fingerprints") for each in data_of(stored)]
    others = [each["name"] for each in present["data"] if each["fingerprints"] not in known]
    return [f"{name}: not what this run was begun with; it goes on with other data" for name in others]
