"""The study: what the thesis measured, as commands, and how fast this project is. `python -m study <command>`."""
