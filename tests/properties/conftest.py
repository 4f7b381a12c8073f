"""The recipes register themselves once: they hold no doctests, for which they would be imported again."""

collect_ignore_glob = ["recipes*.py"]
