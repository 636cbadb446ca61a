"""Fixtures that several test folders share: a real nats-server, a TITAN_HOME with keys."""
