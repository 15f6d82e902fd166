"""What is suspicious: rules over streaming features, alerts with their reasons."""
