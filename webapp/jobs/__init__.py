"""Jobs: their states, the store on disk, the queue, and what is known of their progress. Nothing here speaks HTTP."""
