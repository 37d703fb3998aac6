"""IPython profiles: the block in a configuration that loads the extension, put in and taken out."""
