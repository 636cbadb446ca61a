"""The feed: replays recorded or synthetic markets into the venue and onto the bus.

Owns pacing and stamps. Must never know orders or who listens.
"""
