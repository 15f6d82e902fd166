"""Event contracts: plain msgspec structs, one file per publishing party."""
