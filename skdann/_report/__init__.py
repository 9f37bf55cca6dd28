"""What an adaptation was up against, and what it did."""
