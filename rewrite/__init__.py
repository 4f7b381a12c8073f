"""ONNX to ONNX: the same numbers, in operators that the target gets right."""
