"""Sample platforms and departments: what stands outside Crosswatch and speaks only its public API."""
