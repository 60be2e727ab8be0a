import os

from hypothesis import HealthCheck, settings

# Reproducible by default; HYPOTHESIS_PROFILE=search looks for new examples, and harder.
settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

collect_ignore = ["cases"]  # inputs that went wrong; a module among them must never be imported
collect_ignore_glob = ["*conftest.py"]  # they have no doctests, and all have one name
