"""What real servers answer while a plan is being typed."""
