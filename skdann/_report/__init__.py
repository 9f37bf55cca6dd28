"""The report on an adaptation: how the domains differ, and what adaptation changed."""
