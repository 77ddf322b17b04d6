"""How RKE2 and the Kubernetes behind it look from outside: units, ports, files, journal, kubectl's answers."""
