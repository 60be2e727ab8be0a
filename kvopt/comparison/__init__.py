"""Policies against the optimum: ratios, verdicts, audits, records."""
