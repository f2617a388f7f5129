"""A folder of JSON files kept in step with the memory. Imports of other people's formats are not here."""
