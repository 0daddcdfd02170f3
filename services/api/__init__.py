"""The API: what the command line, scripts and dashboards ask this deployment, over loopback HTTP with a token."""
