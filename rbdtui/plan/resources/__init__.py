"""What steps are made of, each with what is pending on a host and how it is settled."""
