"""All that is looked at: pictures, curves, films, reports and the viewer.

For `fitting`, `command_line` and the scripts; may use `predicting` and `runs`.
"""

import os

os.environ["MPLBACKEND"] = "agg"  # pictures are drawn without windows, whatever a notebook asks for
