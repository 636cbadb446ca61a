"""How much each phase may risk. Pure: no I/O, no clock."""
