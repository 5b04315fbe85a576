"""Generate songs with known stems to train on."""
