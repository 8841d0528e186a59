"""The REST API: one module per resource, as KFP's own API has them; `app` puts them together."""
