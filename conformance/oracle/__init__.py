"""RFC rules judged on any trace, live or captured. Pure: no I/O, no clock, no state beyond a judge's own."""
