"""The nouns of a media store and the rules that hold for one of them alone.

Pure: no I/O, no web framework, no engine. Everybody may import from here.
"""
