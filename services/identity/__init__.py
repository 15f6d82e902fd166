"""Who operates, and is it true."""
