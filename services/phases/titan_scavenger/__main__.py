"""`python -m titan_scavenger --home DIR`.

Owns the entry point. Must never hold logic.
"""

from titan_sdk import run

from titan_scavenger.strategy import Scavenger

if __name__ == "__main__":
    run(Scavenger)
