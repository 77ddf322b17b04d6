"""The Kubernetes API as its client sees it: credentials, and objects as JSON. Knows neither Rainbond nor the spec."""
