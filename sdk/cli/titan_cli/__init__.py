"""`titan`: what an operator types. Owns the local mesh; must never know a trading rule."""
