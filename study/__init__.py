"""Commands that evaluate and train separation models and test this project: `python -m study <command>`."""
