"""Long random histories of the whole database, compared with a dictionary after each step."""
