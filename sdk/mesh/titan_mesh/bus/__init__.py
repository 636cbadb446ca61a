"""Typed publish and subscribe over JetStream. The bus is transport, never the truth.

Owns connections, delivery and the check of streams. Must never spell a subject: titan.topology
does.
"""
