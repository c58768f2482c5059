"""Figures of a running stack: an exporter for both balancers, panels, alerts, what to scrape."""
