"""The outside for programs: prices as JSON, and what those who run the server watch."""
