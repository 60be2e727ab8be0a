"""What scripts/fuzz_checker.py is made of: standard library and tests/oracles only.

`truth` judges a file by FORMAT.md and by an optimum that the checker had no part in; `largest`
looks for the largest bound that each rule grants; `mutants` changes certificates; `planting`
puts known faults into copies of the checker, to see how many of them the other two would find.
"""
