"""Read-only questions to a host: a command and a parser for what it prints."""
