"""The HTTP API over conversations, context, search and imports. No rules of memory here."""
