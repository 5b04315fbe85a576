"""The separation engines: the table `engines.toml`, the models it offers, and the commands it describes."""
