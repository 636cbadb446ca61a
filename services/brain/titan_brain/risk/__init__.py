"""Breaker, budgets and the guardian's verdict. Pure: no I/O, no clock."""
