"""The state of an agent: keys with JSON documents, and the history of everything. Talk is in `conversations`."""
