"""Emitters of everything but the hot codecs: each turns the model into text of one kind.

Owns the outputs. Must never know descriptors or options.
"""
