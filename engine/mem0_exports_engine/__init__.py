"""The embedded engine: the whole API on top of SQLite, with no server and no API key needed.

`engine` answers requests. `transport` runs it inside the client's process, `server.app` behind HTTP. Install it with the
extra `mem0-exports[local]`; `server` also needs `mem0-exports[server]`.
"""
