"""Signed notices to departments, in order, until they are received."""
