"""How services run and talk to each other; no business rule lives here."""
