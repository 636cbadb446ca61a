"""Is the picture true: discrepancies and the score. Pure: no I/O, no clock."""
