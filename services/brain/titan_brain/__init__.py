"""The Brain: is the picture true, how much may be risked, and why.

Pure rules inside (ledger, truth, risk, allocation), I/O at the rim (store, edge, leases,
consumers, rpc). Must never send an order or talk to a venue.
"""
