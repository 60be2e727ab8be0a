"""What is proved, as exact numbers and functions: pipelines, bounds, slice plans."""
