"""The sample data: a real body that is moved, skinned, and scanned by a simulation of its soft tissue.

For `make_sample_data.py` alone, which writes it as meshes like a user's own.
"""
