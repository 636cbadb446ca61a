# cython: language_level=3
"""The engine as Python holds it: configured, recovered, then lent to the loop."""

from titan_execution.core.state cimport Engine


cdef class EngineHost:
    cdef Engine *engine
    cdef object _lock
