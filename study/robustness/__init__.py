"""Robustness trials of the web application: kills, full disks, invalid input and load."""

from study.robustness.command import add_arguments, main

__all__ = ["add_arguments", "main"]
