"""Pictures of schedules and ratios.

`shapes` says what there is to draw; `pictures` and `ratio_pictures` draw it with
matplotlib (the extra "plot", loaded only when something is drawn), and `figures`
makes whole files of that; `page` makes a page to explore in a browser, `trace_events`
a file for Perfetto.

Examples
--------
>>> from kvopt import GSA, Instance, simulate
>>> from kvopt.plot import Run, lanes
>>> schedule = simulate(Instance(10, [2, 2], [3, 5]), GSA())
>>> run = Run("gsa", schedule)  # for plot_memory(run), plot_gantt(run), ...
>>> int(lanes(schedule.start, schedule.end).max()) + 1  # attempts at once
2
"""

from kvopt.plot.page import ratios_page as ratios_page
from kvopt.plot.page import runs_page as runs_page
from kvopt.plot.pictures import plot_completions as plot_completions
from kvopt.plot.pictures import plot_gantt as plot_gantt
from kvopt.plot.pictures import plot_memory as plot_memory
from kvopt.plot.pictures import plot_running as plot_running
from kvopt.plot.ratio_pictures import plot_causes as plot_causes
from kvopt.plot.ratio_pictures import plot_ratios as plot_ratios
from kvopt.plot.serving_pictures import plot_distribution as plot_distribution
from kvopt.plot.serving_pictures import plot_queue as plot_queue
from kvopt.plot.shapes import RatioBar as RatioBar
from kvopt.plot.shapes import Run as Run
from kvopt.plot.shapes import lanes as lanes
from kvopt.plot.shapes import ratio_bar as ratio_bar
from kvopt.plot.trace_events import trace_text as trace_text
