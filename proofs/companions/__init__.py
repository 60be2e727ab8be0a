"""The executable companions of the documents in text/: each evaluates its statements, exactly."""
