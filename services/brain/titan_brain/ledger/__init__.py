"""The fold of Execution's reports into orders, fills and positions. Pure: no I/O, no clock."""
