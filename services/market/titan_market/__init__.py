"""The market of the mesh: importers, a synthetic market, the feed and the paper venue.

Owns everything that plays the outside world. Must never know the Brain, Execution or a strategy.
"""
