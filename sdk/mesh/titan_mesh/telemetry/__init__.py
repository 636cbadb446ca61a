"""Logs for people and traces across processes.

Owns formats and set-up. Must never decide anything or delay a caller.
"""
