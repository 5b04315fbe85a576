"""Sound files: the check of uploads, tags, mixes and pictures. Nothing here depends on jobs or HTTP."""
