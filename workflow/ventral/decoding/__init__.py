"""What populations of units make explicit."""
