"""Media in and out of any TAMS server: ingest, export and a demonstration film.

A client like any other: it uses the REST API only and shares nothing with the server in this
repository but `timeline`. It needs the ``media`` extra (PyAV). `split` and `assemble` are the
two pure halves, files to segments and segments to a file, and need no network.
"""
