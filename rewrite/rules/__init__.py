"""One rule, or one family of rules over one equation, a file. :func:`rewrite.api.load_rules` finds them."""
