"""Rainbond on a cluster that is there: all of these steps need the kubeconfig and the bundle, none needs RKE2."""
