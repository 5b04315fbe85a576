"""The worker, a process beside the server: it runs the queue, draws pictures, and clears away what has expired."""
