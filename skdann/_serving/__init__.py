"""Serving: a fitted classifier as a plain torch module, and as an ONNX file."""
