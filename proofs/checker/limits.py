"""How large a file, its numbers, and the work that it asks for may be."""

MAX_BYTES = 20_000_000  # of a file
MAX_DIGITS = 40  # of an integer
MAX_NUMBER = 10**MAX_DIGITS
MAX_TOKENS = 10**9  # memory, prompt or output
MAX_REQUESTS = 10**7
MAX_TIME = 10**15  # of a release or a split
MAX_START = 10**17

# What a whole file may take, unless the command line says otherwise.
MAX_STEPS = 800_000_000  # elementary steps
MAX_MEMORY = 900  # megabytes
