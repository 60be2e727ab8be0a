"""One kind of work on many instances, by several processes, resumable."""
