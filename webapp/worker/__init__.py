"""The worker: a process beside the server that runs the queue, draws pictures, and deletes expired jobs."""
