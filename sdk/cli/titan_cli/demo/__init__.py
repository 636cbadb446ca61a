"""The demo: a run, a kill, and its account from the venue's own log. Must never place an order."""
