"""The paper venue: a process of its own with its own order log, the witness of every guarantee.

Owns accounts, matching, faults and the log. Must never know Execution's state or trust it.
"""
