"""Finding stations: places, one station's page, opening hours."""
