"""Measurements beside other tools; every figure comes with the command that prints it again."""
