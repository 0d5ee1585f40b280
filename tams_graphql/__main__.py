"""`python -m tams_graphql` is `tams`."""

from tams_graphql.cli import main

main()
