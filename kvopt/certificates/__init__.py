"""Certificates of brackets: writing them, and running the stand-alone checker."""
