"""Training: the closed-form linear part, the samples of a step, losses, the optimiser and the loop around them.

For `command_line` and the scripts; may use `showing`, `predicting` and `runs`.
"""
