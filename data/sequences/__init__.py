"""What many files are together: frames that are read once and cached, paired sequences, and windows over their frames.

For `utils` and the scripts; may use `formats`, and what stands beside it in `data`.
"""
