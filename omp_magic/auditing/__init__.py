"""Makes an audit: chooses the modules, tries them, judges what they meet in this environment."""
