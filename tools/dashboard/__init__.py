"""The dashboard: what its panels ask and show, and how they are drawn without Grafana."""
