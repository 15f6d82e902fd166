"""How trustworthy an operator is: facts, an index over them, one profile."""
