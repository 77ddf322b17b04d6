"""A site that stands, compared row by row with the page of its makers; changes nothing."""
