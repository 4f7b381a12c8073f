"""Translations of PyTorch operators that torch's exporters lack or get wrong, one file each, with their cases.

Importing the package imports nothing; :func:`converters.translations.load_shipped` imports the files, which import
torch in their functions only.
"""
