"""The section of the servers, with its dialogs."""
