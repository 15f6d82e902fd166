"""The work of other stream processors, by the risk worker's own parts: the same rules, the same alerts."""
