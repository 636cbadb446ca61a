"""From verdicts to leases at the edge. Never speaks to a venue."""
