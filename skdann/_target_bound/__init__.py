"""An estimator with a target of its own, for programs that can't pass one to `fit`."""
