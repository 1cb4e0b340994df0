"""What a user types and what a terminal gets back: flags, and how a script ends.

For the scripts alone; may use every other room.
"""
