"""Loads the fixtures that all tests share."""

pytest_plugins = ["titan_testkit.plugin", "titan_testkit.brain_rig"]
