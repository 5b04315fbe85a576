"""Benchmarks of the separation and of the web server."""
