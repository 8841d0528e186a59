"""The labs: catalog, workspace, variants, hints, records, reset, watch, and the gates that keep a lab honest."""
