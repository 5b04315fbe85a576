"""What visitors see: pages with their templates and translations, JSON for programs, and error responses."""
