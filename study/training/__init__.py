"""Train Open-Unmix networks."""
