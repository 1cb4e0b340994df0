"""The learned map from a window of skinned meshes to the scan, and what is fixed about the surface that it runs on.

For `utils` and the scripts; knows of neither files nor flags.
"""
