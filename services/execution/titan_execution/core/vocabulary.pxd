# cython: language_level=3
"""The contract's enum values in one place for the core; every number is generated.

Owns nothing. Must never know what a value leads to.
"""

from titan.execution.v1.execution_report_enums cimport *
from titan.fastpath.v1.frames_enums cimport *
from titan.risk.v1.trading_state_enums cimport *
from titan.trading.v1.instrument_enums cimport *
from titan.trading.v1.order_enums cimport *
from titan.trading.v1.reject_reason_enums cimport *


cdef enum:
    ORD_STATUS_COUNT = 13              # columns of the order table
