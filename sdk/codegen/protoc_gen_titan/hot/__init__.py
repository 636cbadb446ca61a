"""Emitters of the hot codecs, Cython and Python.

Owns wire code. Must never know bus facts.
"""
