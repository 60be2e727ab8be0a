"""Good schedules, which are upper bounds."""
