"""What `scripts/reproduce_paper.py` is made of."""
