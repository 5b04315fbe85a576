"""What visitors see: the pages, and the same as JSON for programs."""
