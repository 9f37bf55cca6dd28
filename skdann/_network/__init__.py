"""The network: feature extractor, label predictor, domain classifier."""
