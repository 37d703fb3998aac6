"""The extension: magics, cells' bodies, the session, the guard's messages, the dashboard."""
