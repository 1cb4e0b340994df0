"""How parameters are changed: the optimiser, and its learning rate over the steps of a run."""

from typing import Any

import torch
from torch import Tensor, nn

from data.input_error import InputError

WARM_UP_STEPS = 50


def scheduled_learning_rate(step: int, total_steps: int, highest: float) -> float:
    """Return the rate of a step: a linear decay from the highest rate to zero after the last step, times a short linear
    warm-up."""
    warm_up = min(WARM_UP_STEPS, max(1, total_steps // 4))
    return highest * min(1.0, (step + 1) / warm_up) * (1 - step / total_steps)


def is_moment(name: str, moment: Tensor) -> bool:
    """Say whether an optimizer can go on from one of its moments: finite, and not negative where it is a mean of squares."""
    if not moment.is_floating_point() or not torch.isfinite(moment).all():
        return False
    return name == "exp_avg" or bool((moment >= 0).all())


def restore_optimizer(optimizer: torch.optim.AdamW, stored: dict[str, Any]) -> None:
    """Take only the moments of all parameters from a stored state; raise `InputError` where they do not fit."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state = stored.get("state")
    shapes = [{"step": (), "exp_avg": tuple(p.shape), "exp_avg_sq": tuple(p.shape)} for p in parameters]
    found = []
    if isinstance(state, dict):
        for index in range(len(parameters)):
            moments = state.get(index)
            if isinstance(moments, dict) and all(isinstance(each, Tensor) for each in moments.values()):
                right = {name: tuple(each.shape) for name, each in moments.items() if is_moment(name, each)}
                found.append(right)
    if found != shapes and state != {}:  # nothing, before the first step
        raise InputError(
            f"the checkpoint: found an optimizer's state of {len(found)} parameters, expected one of {len(shapes)}"
        )
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def make_optimizer(model: nn.Module, learning_rate: float) -> torch.optim.AdamW:
    """Return AdamW with weight decay on matrices only: neither on biases nor on the surface embedding."""
    decayed = [p for name, p in model.named_parameters() if p.ndim == 2 and name != "embedding"]
    others = [p for name, p in model.named_parameters() if p.ndim != 2 or name == "embedding"]
    groups = [{"params": decayed, "weight_decay": 1e-2}, {"params": others, "weight_decay": 0.0}]
    device = decayed[0].device
    on_cuda = device.type == "cuda"  # where a step is recorded, the rate has to be where the recording can read it
    rate = torch.tensor(learning_rate, device=device) if on_cuda else learning_rate
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.99), fused=True, capturable=on_cuda)


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    """Let the optimizer's next steps be of some rate."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(learning_rate)
        else:
            group["lr"] = learning_rate
