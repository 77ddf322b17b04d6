"""Everything that draws: the Textual front end, which sends intents and holds no truth."""
