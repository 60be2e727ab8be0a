"""Pictures of schedules and ratios.

`shapes` says what there is to draw, `pictures` draws it with matplotlib (the
extra "plot"), `page` as an interactive page, `trace_events` for Perfetto.
"""
