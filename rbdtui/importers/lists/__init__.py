"""Lists and tables of servers, line by line: how one line, one cell and one word is understood."""
