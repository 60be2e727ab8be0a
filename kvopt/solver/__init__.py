"""Exact optima: bounds, schedules, searches and relaxations around one plan."""
