"""What is compared after a delivery: contents, URLs, the converted pages."""
