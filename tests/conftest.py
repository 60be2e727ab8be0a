import os

from hypothesis import HealthCheck, settings

# Inputs that went wrong, as they were, are no tests; nor is a conftest to search for doctests.
collect_ignore = ["cases", "conftest.py"]

# Reproducible by default; HYPOTHESIS_PROFILE=search looks for new examples, and harder.
settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
