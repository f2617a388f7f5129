"""The database engines Nola runs on: what they have of their own stands here."""
