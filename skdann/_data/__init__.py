"""From what the user passes to batches of tensors."""
