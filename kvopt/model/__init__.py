"""What there is to schedule, and schedules of it: instances, schedules, memory, files."""
