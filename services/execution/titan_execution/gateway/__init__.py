"""Where Python meets the engine: set-up, the listener, the two rings."""
