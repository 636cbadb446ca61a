"""Execution: the only process that may speak to a venue.

Owns the order path; must never know why an order is wanted.
"""
