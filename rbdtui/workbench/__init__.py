"""What a person edits and watches, without a terminal: the draft of a plan, live answers of hosts, a followed run."""
