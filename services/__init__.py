"""Independent services; they know each other only through shared/events and HTTP."""
