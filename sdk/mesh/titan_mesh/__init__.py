"""The runtime that services rest on: bus, rpc, FastPath client, telemetry, settings, policy hash.

Owns what any two processes of the mesh need to talk. Must never know what they talk about:
trading rules, venues and strategies live above.
"""
