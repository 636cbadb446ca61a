"""From a wish to a promise: durable log, submission logic, FastPath link, submitting thread.

Owns the way of an intent out of the process. Must never know a strategy, the bus or market data.
"""
