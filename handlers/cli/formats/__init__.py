"""A plan in every format. All of them render the one view of it (`view`), and each makes hostile text harmless."""
