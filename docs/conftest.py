"""Pytest takes the pages of this folder, but neither settings nor what a build copied."""

collect_ignore_glob = ["*.py", "_build/*", "auto_examples/*"]
