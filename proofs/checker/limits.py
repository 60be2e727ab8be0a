"""How large a file, and the work that it asks for, may be.  What exceeds a limit is refused."""

MAX_BYTES = 200_000_000  # of a file
MAX_DIGITS = 40  # of an integer
MAX_NUMBER = 10**MAX_DIGITS
MAX_TOKENS = 10**9  # memory, prompt or output
MAX_REQUESTS = 10**7
MAX_TIME = 10**15  # of a start or a release
MAX_LEAF = 10**8  # steps for one leaf of a tree, or to set up the states of batches
