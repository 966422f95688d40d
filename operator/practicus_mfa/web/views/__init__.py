"""Views: what each page shows and does."""
