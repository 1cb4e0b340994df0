"""What one run of a script is: its processes, its folders and records, its checkpoints, and how it is asked to stop.

For all other rooms of `utils` and the scripts; may use `models` and `data` alone.
"""
