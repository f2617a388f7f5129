"""Search in messages and in leaves of the state. Queries by path are in `state.jsondoc.jsonpath`."""
