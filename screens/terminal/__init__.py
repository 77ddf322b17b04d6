"""What holds on a terminal whatever is shown: colours, signs, the clock, what was chosen, how it ends."""
