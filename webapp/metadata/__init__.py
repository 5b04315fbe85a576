"""A song's tags (title, artist, cover, ...): read from the upload, written into the stems."""
