"""What Rainbond is: its releases, its components and the values of its chart. Pure knowledge: no host, no API."""
