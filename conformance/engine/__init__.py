"""Cases are played here: a pure executor, the matcher it compares with, and the runner that joins it to a SUT."""
