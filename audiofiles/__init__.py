"""Audio files as bytes: the chunks and headers of WAV files, and the tags of WAV and FLAC files.

The web side and the model side share this package. It imports neither of them, and only the standard library.
"""
