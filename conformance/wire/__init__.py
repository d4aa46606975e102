"""What is on the wire, octets to values and back. Pure: no I/O, no clock, no state."""
