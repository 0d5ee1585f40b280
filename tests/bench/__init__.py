"""`make bench`: what is fast is shown by comparing two things in one run, never by a timed test.

`harness.py` interleaves the arms of a comparison and takes medians; `arms_*.py` hold the
comparisons; `__main__.py` runs them and writes docs/benchmarks.md.
"""
