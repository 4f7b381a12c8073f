"""Translations of TensorFlow operators that tf2onnx lacks or gets wrong, one file each, with their cases.

Importing the package imports nothing; :func:`converters.translations.load_shipped` imports the files.
"""
