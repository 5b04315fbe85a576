"""Measure the quality and the time of separation models, as the thesis's chapter 2 does, and report the results."""
