"""Predictions of whole sequences, from what a model sees of a frame to the mesh on disk, and how far they are from the scans.

For `showing`, `fitting`, `command_line` and the scripts; may use `runs`.
"""
