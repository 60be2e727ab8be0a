"""Instances from the request traces that the field publishes."""

from kvopt.traces.arrivals import Arrivals
from kvopt.traces.formats import FORMATS, TraceFormat
from kvopt.traces.importer import Import, Selection, import_trace

__all__ = ["FORMATS", "Arrivals", "Import", "Selection", "TraceFormat", "import_trace"]
