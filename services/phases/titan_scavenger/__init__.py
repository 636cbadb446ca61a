"""Scavenger, phase 1: level and breakout traps on order-flow imbalance.

Owns nothing but the package. Must never be imported by another service.
"""
