"""What a conversion would do: field map, levels, relations, placement."""
