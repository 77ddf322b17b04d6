"""Pure judgements: facts and spec in, findings out."""
