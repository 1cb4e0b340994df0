"""All that is looked at: pictures, curves, films, reports and the viewer.

For `fitting`, `command_line` and the scripts; may use `predicting` and `runs`.
"""
