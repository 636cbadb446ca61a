"""The demo's HTML report, one self-contained file. Must never fetch or know how a run was made."""
