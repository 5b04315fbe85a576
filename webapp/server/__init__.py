"""The HTTP server: reading and checking requests, running scripts, and sending files."""
