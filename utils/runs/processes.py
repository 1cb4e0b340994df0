"""Several processes that work on one run, as started by `torchrun --nproc_per_node=2 fit_mesh.py ...`; otherwise there is one.

Frames are shared out between the processes, and their results are added up. The first process alone prints and writes.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, NoReturn, TypeVar

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from numpy import ndarray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from data.input_error import InputError

LONGEST_WAIT = timedelta(hours=12)  # for one process that reads its meshes; one that ends is noticed at once

Value = TypeVar("Value")


def rank() -> int:
    """Return which of the processes this one is, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def num_processes() -> int:
    """Return how many processes work on this run."""
    return dist.get_world_size() if dist.is_initialized() else 1


def local_rank() -> int:
    """Return which of the processes on this machine this one is, from 0."""
    return int(os.environ.get("LOCAL_RANK", "0"))


def join_processes() -> None:
    """Connect with the other processes of this run, where torchrun started them; all but the first one print only errors."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not dist.is_initialized():
        with noticed_if_another_ends():
            dist.init_process_group(timeout=LONGEST_WAIT)  # gloo for what is on the CPU, NCCL for what is on CUDA
        if rank() > 0:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 (for as long as the process lives)


def leave_processes(exit_code: int) -> NoReturn:
    """Close the connections to the other processes, and end this one at once.

    An orderly exit of the interpreter could still be aborted by threads that served the connections.
    """
    dist.destroy_process_group()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)


@contextmanager
def noticed_if_another_ends() -> Iterator[None]:
    """Raise `InputError` where the connection to another process breaks inside the block."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        raise InputError(
            f"process {os.environ['RANK']}: another process of this run ended, expected all to go on to the end; "
            "its own message says why; a stopped training goes on with --load_saved_model"
        ) from None


def combine(tensor: Shaped[Tensor, "*B"], operation: Any = dist.ReduceOp.SUM) -> Tensor:
    """Replace a tensor (*B) by the sum over all processes, or what else `operation` says; return it."""
    if dist.is_initialized():
        with noticed_if_another_ends():
            dist.all_reduce(tensor, operation)
    return tensor


def agreed(value: Value) -> Value:
    """Return the first process' value in all processes: on unlike machines, the last digits of a comparison may differ."""
    found = [value]
    if dist.is_initialized():
        with noticed_if_another_ends():
            dist.broadcast_object_list(found)
    return found[0]


def check_alike(names: str, numbers: tuple[int, ...]) -> None:
    """Raise `InputError` where the processes found different numbers, which means other data or another checkpoint on some
    machine."""
    least = combine(torch.tensor(numbers), dist.ReduceOp.MIN).tolist()
    most = combine(torch.tensor(numbers), dist.ReduceOp.MAX).tolist()
    if least != most:
        raise InputError(
            f"process {rank()}: found {names} {list(numbers)}, expected the same in all processes: they are {least} to {most}"
        )


def own_share(items: Shaped[ndarray, "K *B"]) -> Shaped[ndarray, "_ *B"]:
    """Return the items that are this process' to work on."""
    return items[rank() :: num_processes()]


@contextmanager
def first_alone() -> Iterator[None]:
    """Let the first process of each machine go through the block, then the others, which find in the cache what the first one
    read."""
    if local_rank() > 0:
        combine(torch.zeros(()))
    yield
    if local_rank() == 0:
        combine(torch.zeros(()))


def in_parallel(module: nn.Module) -> nn.Module:
    """Return the module such that its gradients are means over all processes; all begin with the first process' weights."""
    if not dist.is_initialized():
        return module
    with noticed_if_another_ends():
        return DistributedDataParallel(module, forward_sync_buffers=False)
