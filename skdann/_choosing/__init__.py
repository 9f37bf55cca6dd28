"""Candidates, what speaks for each, and the safe choice among them."""
