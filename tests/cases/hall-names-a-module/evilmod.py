open("IMPORTED", "w").write("a data file made this run")


class X:
    pass
