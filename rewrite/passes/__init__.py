"""The passes that always run, one a file. On models: inline, settle the opset, infer. On graphs: all others."""
