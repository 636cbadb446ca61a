"""Readers of recorded market data, one module per source format.

Own the conversion of what venues wrote into titan_market.events. Must never guess: what does not
fit the format or the grid is a coded error that names the place.
"""
