"""The language server, `wootzc lsp`: what editors show of a `.wz` file while it is written.

`snapshot.py` is a file as it stands, with what the compiler says of it; a file for each thing that
editors ask looks at snapshots; `server.py` alone speaks the protocol.
"""
