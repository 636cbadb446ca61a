"""gRPC for services: server bootstrap, client channel, and one mapping of errors to status.

Owns what all RPCs have in common. Must never know what one RPC does.
"""
