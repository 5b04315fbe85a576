"""What the server does with a request before a script sees it, and what it answers itself."""
