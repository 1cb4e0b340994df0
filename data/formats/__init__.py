"""What one file holds: a reader and a writer for each format, and what is checked of positions and faces.

For `sequences` and whoever reads or writes a file; uses nothing but what stands beside it in `data`.
"""
