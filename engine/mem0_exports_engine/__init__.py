"""The embedded engine: the whole API on SQLite, without a server and without a key.

`engine` answers requests; `transport` and `app` are two thin shells around it, in-process and HTTP. Needs the extra
`mem0-exports[local]`, and `mem0-exports[server]` for `app`.
"""
