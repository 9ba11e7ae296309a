"""remodel.yml, .env and field maps, read strictly."""
