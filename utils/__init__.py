"""Everything between the models and the scripts, in rooms.

From top to bottom: `command_line`, `fitting`, `showing`, `predicting`, `runs`. Each room may use those below it, `models` and
`data`; none may use a room above it.
"""
