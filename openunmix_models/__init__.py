"""Open-Unmix as a command, `python -m openunmix_models`, and the weights that it runs, one folder a model."""
