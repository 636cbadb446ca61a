"""The compiled core: one thread, no GIL, no allocation after start, time as an argument.

Owns the order path from bytes to bytes. Must never know NATS, gRPC or asyncio.
"""
