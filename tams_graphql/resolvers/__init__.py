"""What a media store can do: one file per noun, called by both APIs.

A resolver takes the request's `Context`, plain values and model types, and returns records or
Arrow columns; it raises the exceptions of `model.errors`. It knows no web framework.
"""
