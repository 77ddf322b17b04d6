"""The failover drill: something is stopped on purpose, the gap is measured, and all is put back."""
