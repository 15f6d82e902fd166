"""What is sold, and the trade itself."""
