"""Music source separation with Open-Unmix, Spleeter, or a blend of both: `python -m openunmix_models`.

Each model has a folder here, which holds its settings and weights.
"""
