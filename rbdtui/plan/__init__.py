"""From a spec and what the hosts are to the exact steps of an installation."""
