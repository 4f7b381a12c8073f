"""Models of several stages: parts that SOFIE emits, and operators with C++ of their own between them, in a header."""
